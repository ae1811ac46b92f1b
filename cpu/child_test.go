package cpu_test

const childVariable = "IMGVEC_TEST_CHILD"

var children = map[string]func() error{}
