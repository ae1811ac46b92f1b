package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// step does one opcode. The numbers are those of Python's pickletools; an opcode that torch.save has no use for is
// refused.
func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		return m.proto()
	case 0x95: // FRAME: a hint for buffering
		_, err := m.src.uint(8)
		return err
	case '(': // MARK
		m.push(mark{})
		return nil
	case '0': // POP
		_, err := m.pop()
		return err
	case 'N', 0x88, 0x89: // NONE, NEWTRUE, NEWFALSE
		m.push(map[byte]any{'N': nil, 0x88: true, 0x89: false}[op])
		return nil
	case 'K', 'M', 'J', 0x8a, 'G': // BININT1, BININT2, BININT, LONG1, BINFLOAT
		return m.number(op)
	case 'X', 0x8c, 0x8d, 'U', 'T', 'C', 'B': // strings and bytes, with 1, 4 or 8 bytes of length
		return m.text(op)
	case ')', ']', '}', 't', 0x85, 0x86, 0x87, 'l', 'd': // tuples, lists, dicts
		return m.container(op)
	case 'a', 'e', 's', 'u': // APPEND, APPENDS, SETITEM, SETITEMS
		return m.fill(op)
	case 'q', 'r', 0x94, 'h', 'j': // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
		return m.memory(op)
	case 'c', 0x93, 'R', 0x81, 'b', 'Q': // GLOBAL, STACK_GLOBAL, REDUCE, NEWOBJ, BUILD, BINPERSID
		return m.object(op)
	}
	return fmt.Errorf("pickle: opcode 0x%02x has no place in a checkpoint", op)
}

func (m *machine) proto() error {
	version, err := m.src.byte()
	if err == nil && version > 5 {
		err = fmt.Errorf("pickle: protocol %d is unknown", version)
	}
	return err
}

func (m *machine) number(op byte) error {
	if op == 0x8a {
		return m.long()
	}
	width := map[byte]int{'K': 1, 'M': 2, 'J': 4, 'G': 8}[op]
	n, err := m.src.uint(width)
	switch {
	case err != nil:
		return err
	case op == 'G': // big-endian
		m.push(math.Float64frombits(bits.ReverseBytes64(n)))
	case op == 'J':
		m.push(int64(int32(uint32(n))))
	default:
		m.push(int64(n))
	}
	return nil
}

// long reads LONG1: a length, then two's complement, little-endian.
func (m *machine) long() error {
	length, err := m.src.byte()
	if err != nil {
		return err
	}
	if length > 8 {
		raw, err := m.src.bytes(int64(length))
		m.push(bigint(raw))
		return err
	}
	n, err := m.src.uint(int(length))
	shift := 64 - 8*uint(length)
	m.push(int64(n<<shift) >> shift)
	return err
}

func (m *machine) text(op byte) error {
	width := map[byte]int{'X': 4, 0x8c: 1, 0x8d: 8, 'U': 1, 'T': 4, 'C': 1, 'B': 4}[op]
	length, err := m.src.uint(width)
	if err != nil {
		return err
	}
	raw, err := m.src.bytes(int64(min(length, math.MaxInt64)))
	m.push(string(raw))
	return err
}

func (m *machine) container(op byte) error {
	var items tuple
	var err error
	switch op {
	case 0x85, 0x86, 0x87:
		items, err = m.popN(int(op) - 0x84)
	case 't', 'l', 'd':
		items, err = m.popMark()
	}
	if err != nil {
		return err
	}
	switch op {
	case ']', 'l':
		m.push(&list{items: items})
	case '}':
		m.push(&dict{})
	case 'd':
		d := &dict{}
		m.push(d)
		return d.set(items)
	default:
		m.push(items)
	}
	return nil
}

func (m *machine) fill(op byte) error {
	var items tuple
	var err error
	switch op {
	case 'a':
		items, err = m.popN(1)
	case 's':
		items, err = m.popN(2)
	default:
		items, err = m.popMark()
	}
	if err != nil {
		return err
	}
	target, err := m.top()
	if err != nil {
		return err
	}
	switch t := target.(type) {
	case *list:
		if op == 'a' || op == 'e' {
			t.items = append(t.items, items...)
			return nil
		}
	case *dict:
		if op == 's' || op == 'u' {
			return t.set(items)
		}
	}
	return fmt.Errorf("pickle: can't add to a %T", target)
}

func (d *dict) set(pairs tuple) error {
	if len(pairs)%2 != 0 {
		return errors.New("pickle: a key without a value")
	}
	for i := 0; i < len(pairs); i += 2 {
		d.keys, d.values = append(d.keys, pairs[i]), append(d.values, pairs[i+1])
	}
	return nil
}

func (m *machine) memory(op byte) error {
	if op == 0x94 {
		return m.put(uint64(len(m.memo)))
	}
	width := map[byte]int{'q': 1, 'r': 4, 'h': 1, 'j': 4}[op]
	index, err := m.src.uint(width)
	switch {
	case err != nil:
		return err
	case op == 'q' || op == 'r':
		return m.put(index)
	}
	return m.get(index)
}
