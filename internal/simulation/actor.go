package simulation

import (
	"context"
	"errors"
	"iter"
)

// errDied ends what an actor does when its process has been killed.
var errDied = errors.New("the process was killed")

// actor is a coroutine: it runs until it pauses or waits, and goes on when the
// scheduler says so. Of all actors of a world one runs at a time.
type actor struct {
	world   *World
	name    string
	process *process
	ctx     context.Context
	end     context.CancelFunc
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	// dead is set when the actor is not to do anything any more.
	dead bool
	// waiting says that the actor goes on only when it is woken.
	waiting bool
	queued  bool
	// stall is how often the actor pauses before it writes the next record.
	stall int
}

// spawn starts an actor that belongs to a process.
func (w *World) spawn(p *process, name string, do func(a *actor)) *actor {
	a := &actor{world: w, name: name, process: p}
	a.ctx, a.end = context.WithCancel(context.Background())
	a.next, a.stop = iter.Pull(func(yield func(struct{}) bool) {
		a.yield = yield
		do(a)
	})
	p.actors = append(p.actors, a)
	w.enqueue(a)
	return a
}

// pause lets others go first.
func (a *actor) pause() error {
	if a.dead {
		return errDied
	}
	a.world.enqueue(a)
	return a.leave()
}

// wait lets others go first until the actor is woken.
func (a *actor) wait() error {
	if a.dead {
		return errDied
	}
	a.waiting = true
	return a.leave()
}

func (a *actor) leave() error {
	if !a.yield(struct{}{}) {
		a.dead = true
		return errDied
	}
	return nil
}

// wake lets a waiting actor go on.
func (a *actor) wake() {
	if a.waiting && !a.dead {
		a.waiting = false
		a.world.enqueue(a)
	}
}

// kill ends the actor where it is.
func (a *actor) kill() {
	if a.dead {
		return
	}
	a.end()
	a.dead = true
	a.stop()
}

func (w *World) enqueue(a *actor) {
	if !a.queued {
		a.queued = true
		w.runnable = append(w.runnable, a)
	}
}

// run lets a random actor go on, and reports whether there was one.
func (w *World) run() bool {
	for len(w.runnable) > 0 {
		i := w.random.IntN(len(w.runnable))
		a := w.runnable[i]
		last := len(w.runnable) - 1
		w.runnable[i] = w.runnable[last]
		w.runnable = w.runnable[:last]
		a.queued = false
		if a.dead {
			continue
		}
		w.steps++
		w.clock += w.random.Int64N(4)
		if _, ok := a.next(); !ok {
			a.end()
			a.dead = true
		}
		return true
	}
	return false
}

// process is what is killed together.
type process struct {
	name   string
	actors []*actor
	// life counts the starts of the process.
	life  int
	start func()
}

func (p *process) kill() {
	for _, a := range p.actors {
		a.kill()
	}
	p.actors = nil
	p.life++
}
