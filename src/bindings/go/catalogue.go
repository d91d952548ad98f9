//go:build cgo

package mailru

// #include <mailru.h>
import "C"

import "encoding/json"

// Method is a method of the platform.
type Method struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	// Write is whether it changes something: then it is not repeated once it was sent.
	Write bool `json:"write"`
	// Privilege is what the user must have granted; empty for none.
	Privilege string        `json:"privilege"`
	Params    []MethodParam `json:"params"`
}

// MethodParam is a parameter of a method.
type MethodParam struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Required bool   `json:"required"`
	Summary  string `json:"summary"`
}

// Methods is the catalogue of the platform's methods (mailru_methods). Others can be called as well.
func Methods() ([]Method, error) {
	return catalogue[Method](func(code *C.int32_t) *C.char { return C.mailru_methods(code) })
}

// PlatformError is an error of the platform's.
type PlatformError struct {
	Code      Number `json:"code"`
	Meaning   string `json:"meaning"`
	Transient bool   `json:"transient"`
	Advice    string `json:"advice"`
}

// Errors are the platform's errors, as far as they are known (mailru_errors).
func Errors() ([]PlatformError, error) {
	return catalogue[PlatformError](func(code *C.int32_t) *C.char { return C.mailru_errors(code) })
}

func catalogue[T any](ask func(code *C.int32_t) *C.char) ([]T, error) {
	var code C.int32_t
	answer, err := outcome(ask(&code), code)
	if err != nil {
		return nil, err
	}
	var items []T
	err = json.Unmarshal(answer, &items)
	return items, err
}

// Version is the library's version, such as "0.1.0" (mailru_version).
func Version() string { return C.GoString(C.mailru_version()) }

// abiVersion is the loaded library's number (mailru_abi_version), and the one that this package was compiled with.
func abiVersion() (found, wanted uint32) {
	return uint32(C.mailru_abi_version()), C.MAILRU_ABI_VERSION
}
