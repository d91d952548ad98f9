//go:build !cgo

package mailru

// The compiler prints this name where cgo is off: with CGO_ENABLED=0, without a C compiler, or for another system than
// the compiler's own.
var _ = libmailru_needs_cgo__install_a_C_compiler_and_build_with_CGO_ENABLED_1__when_building_for_another_system_set_CC_to_its_compiler
