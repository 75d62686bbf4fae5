package engine

// CommandStatus is how a command stands, as GET /status shows it.
type CommandStatus struct {
	Status  string  `json:"status"`
	Message string  `json:"message"`
	QueryID *string `json:"queryId"`
}

// Warning is a warning within an entity.
type Warning struct {
	Message string `json:"message"`
}

// head are the members that every entity begins with.
type head struct {
	Type          string `json:"@type"`
	StatementText string `json:"statementText"`
}

type currentStatusEntity struct {
	head
	CommandID     string        `json:"commandId"`
	CommandStatus CommandStatus `json:"commandStatus"`
	Sequence      int64         `json:"commandSequenceNumber"`
	Warnings      []Warning     `json:"warnings"`
}

func currentStatus(text, id string, status CommandStatus, sequence int64) currentStatusEntity {
	return currentStatusEntity{head{"currentStatus", text}, id, status, sequence, []Warning{}}
}

func warningEntity(text, message string) any {
	return struct {
		head
		Message  string    `json:"message"`
		Warnings []Warning `json:"warnings"`
	}{head{"warning_entity", text}, message, []Warning{}}
}

func (e *Engine) setStatus(id string, status CommandStatus) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.statuses[id] = status
	if status.Status == "SUCCESS" {
		delete(e.failed, id)
	}
}

// Status tells how the command of an id such as stream/`X`/create stands.
func (e *Engine) Status(id string) (CommandStatus, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.statuses[id]
	return s, ok
}

// Statuses tells how all commands stand, by id.
func (e *Engine) Statuses() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make(map[string]string, len(e.statuses))
	for id, s := range e.statuses {
		all[id] = s.Status
	}
	return all
}
