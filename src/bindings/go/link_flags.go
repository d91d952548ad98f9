// Where the library is stands in CGO_CFLAGS and CGO_LDFLAGS alone.

//go:build cgo && mailru_flags && !mailru_bundled

package mailru

// #include <mailru.h>
import "C"
