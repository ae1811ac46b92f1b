package checkpoint

import (
	"errors"
	"fmt"
)

// Limits of one pickle. A state dict of 5,000 tensors needs about 500,000 steps and 2 MiB.
const (
	maxPickle = 32 << 20 // bytes
	maxString = 1 << 20  // bytes of one string
	maxSteps  = 2 << 20  // opcodes, and elements copied from one container to another
)

// What a pickle can make. Everything else is a Go int64, float64, bool, string or nil.
type (
	tuple   []any
	list    struct{ items []any }
	dict    struct{ keys, values []any }
	bigint  string // a LONG of more than 8 bytes, raw
	mark    struct{}
	builder func(args tuple) (any, error) // a global: one of the few functions that are known
)

// machine is the stack machine that a pickle drives. It has no opcode and no global that reaches outside of it.
type machine struct {
	src     *source
	stack   []any
	memo    map[uint64]any
	steps   int
	script  bool                        // of a TorchScript archive
	persist func(id tuple) (any, error) // the tensor storages
}

func unpickle(src *source, persist func(tuple) (any, error)) (any, error) {
	m := &machine{src: src, memo: map[uint64]any{}, persist: persist}
	return m.run()
}

func (m *machine) run() (any, error) {
	for {
		op, err := m.src.byte()
		if err != nil {
			return nil, err
		}
		if op == '.' {
			return m.pop()
		}
		if err := m.spend(1); err != nil {
			return nil, err
		}
		if err := m.step(op); err != nil {
			return nil, err
		}
	}
}

// spend counts work, so that a small file can't make the machine copy without end.
func (m *machine) spend(n int) error {
	m.steps += n
	if m.steps > maxSteps {
		return errors.New("pickle: more steps than a checkpoint needs")
	}
	return nil
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, errors.New("pickle: stack is empty")
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	if _, isMark := v.(mark); isMark {
		return nil, errors.New("pickle: a mark where a value should be")
	}
	return v, nil
}

func (m *machine) top() (any, error) {
	v, err := m.pop()
	if err == nil {
		m.push(v)
	}
	return v, err
}

// popN takes the n topmost values as a tuple of its own.
func (m *machine) popN(n int) (tuple, error) {
	if n > len(m.stack) {
		return nil, errors.New("pickle: stack is empty")
	}
	if err := m.spend(n); err != nil {
		return nil, err
	}
	from := len(m.stack) - n
	for _, v := range m.stack[from:] {
		if _, isMark := v.(mark); isMark {
			return nil, errors.New("pickle: a mark where a value should be")
		}
	}
	items := append(tuple(nil), m.stack[from:]...)
	m.stack = m.stack[:from]
	return items, nil
}

// popMark takes what lies above the last mark, and the mark.
func (m *machine) popMark() (tuple, error) {
	for at := len(m.stack) - 1; at >= 0; at-- {
		if _, isMark := m.stack[at].(mark); isMark {
			items, err := m.popN(len(m.stack) - at - 1)
			m.stack = m.stack[:at]
			return items, err
		}
	}
	return nil, errors.New("pickle: no mark")
}

func (m *machine) put(index uint64) error {
	v, err := m.top()
	if err == nil {
		m.memo[index] = v
	}
	return err
}

func (m *machine) get(index uint64) error {
	v, ok := m.memo[index]
	if !ok {
		return fmt.Errorf("pickle: memo %d is empty", index)
	}
	m.push(v)
	return nil
}
