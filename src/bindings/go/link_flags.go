//go:build cgo && mailru_flags && !mailru_bundled

package mailru

// Where the library is stands in CGO_CFLAGS and CGO_LDFLAGS alone.
import "C"
