package login

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/credentials"
)

const nonceBytes = 24

// scram is the server's side of SCRAM (RFC 5802) without channel binding. It takes
// what Kafka's own server takes: also a last message whose nonce repeats the
// client's part, as librdkafka before 2.2 sends it, which libraries refuse.
type scram struct {
	stored credentials.Scram
	header string // of GS2, which the client repeats
	nonce  string // the client's part and ours
	first  string // the first messages of both, which are signed
	user   string
}

// begin reads "n,[a=<id>],n=<user>,r=<nonce>[,<extensions>]" and gives
// "r=<nonce>,s=<salt>,i=<iterations>". Every error is ErrRefused.
func (s *scram) begin(message string, find func(user string) credentials.Scram) (string, error) {
	parts := strings.Split(message, ",")
	if len(parts) < 4 || parts[0] != "n" && parts[0] != "y" {
		return "", ErrRefused
	}
	name, named := strings.CutPrefix(parts[2], "n=")
	nonce, given := strings.CutPrefix(parts[3], "r=")
	if !named || !given || name == "" || nonce == "" {
		return "", ErrRefused
	}
	if parts[1] != "" && parts[1] != "a="+name {
		return "", ErrRefused
	}
	s.user = unescaped.Replace(name)
	s.stored = find(s.user)
	ours := make([]byte, nonceBytes)
	_, _ = rand.Read(ours) // never fails
	s.header = parts[0] + "," + parts[1] + ","
	s.nonce = nonce + base64.RawStdEncoding.EncodeToString(ours)
	answer := fmt.Sprintf("r=%s,s=%s,i=%d", s.nonce, base64.StdEncoding.EncodeToString(s.stored.Salt), s.stored.Iterations)
	s.first = strings.Join(parts[2:], ",") + "," + answer
	return answer, nil
}

// end reads "c=<header>,r=<nonce>[,<extensions>],p=<proof>" and gives
// "v=<signature>". Every error is ErrRefused.
func (s *scram) end(message string) (string, error) {
	cut := strings.LastIndex(message, ",p=")
	if cut < 0 {
		return "", ErrRefused
	}
	signed := message[:cut]
	parts := strings.Split(signed, ",")
	proof, err := base64.StdEncoding.DecodeString(message[cut+len(",p="):])
	if err != nil || len(parts) < 2 || parts[0] != "c="+base64.StdEncoding.EncodeToString([]byte(s.header)) {
		return "", ErrRefused
	}
	if nonce, given := strings.CutPrefix(parts[1], "r="); !given || !strings.HasSuffix(nonce, s.nonce) {
		return "", ErrRefused
	}
	all := s.first + "," + signed
	key := s.sign(s.stored.StoredKey, all)
	if len(proof) != len(key) {
		return "", ErrRefused
	}
	subtle.XORBytes(key, key, proof)
	h := s.stored.Hash()()
	h.Write(key) // never fails
	if subtle.ConstantTimeCompare(h.Sum(nil), s.stored.StoredKey) != 1 {
		return "", ErrRefused
	}
	return "v=" + base64.StdEncoding.EncodeToString(s.sign(s.stored.ServerKey, all)), nil
}

func (s *scram) sign(key []byte, text string) []byte {
	mac := hmac.New(s.stored.Hash(), key)
	mac.Write([]byte(text)) // never fails
	return mac.Sum(nil)
}
