package broker

// Housekeep does now what is otherwise done every half minute.
func (b *Broker) Housekeep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.housekeep(b.running)
}
