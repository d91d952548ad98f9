//go:build cgo && !mailru_bundled && !mailru_flags

package mailru

// #cgo pkg-config: mailru
import "C"
