package batch

import (
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrTooLarge is the error of a batch whose records decompress to more than
// MaxContent.
var ErrTooLarge = fmt.Errorf("the records take more than %d bytes", MaxContent)

// unpacking has room for those whose records are in memory at the same time: each may
// take MaxContent, also when it came as a few kilobytes.
var unpacking = make(chan struct{}, 4)

// bounded gives a client's decompressor: a client is what a bound can be said to.
var bounded = sync.OnceValues(func() (kgo.Decompressor, error) {
	client, err := kgo.NewClient(kgo.MaxDecompressBatchBytes(MaxContent))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	d, ok := client.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	if !ok {
		return nil, errors.New("the Kafka client has no decompressor")
	}
	return d, nil
})

func decompress(content []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	d, err := bounded()
	if err != nil {
		return nil, err
	}
	content, err = d.Decompress(content, codec)
	if errors.Is(err, kgo.ErrMaxDecompress) {
		return nil, ErrTooLarge
	}
	return content, err
}
