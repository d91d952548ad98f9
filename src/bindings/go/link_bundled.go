//go:build cgo && mailru_bundled

package mailru

// The libraries besides are those that `pkg-config --static --libs mailru` names. On Windows a program is linked with
// mailru.dll's import library, by the tag mailru_flags.

/*
#cgo CFLAGS: -I${SRCDIR}/bundled/include
#cgo linux,amd64 LDFLAGS: ${SRCDIR}/bundled/linux_amd64/libmailru.a
#cgo linux,arm64 LDFLAGS: ${SRCDIR}/bundled/linux_arm64/libmailru.a
#cgo linux,386 LDFLAGS: ${SRCDIR}/bundled/linux_386/libmailru.a
#cgo linux,arm LDFLAGS: ${SRCDIR}/bundled/linux_arm/libmailru.a
#cgo darwin,amd64 LDFLAGS: ${SRCDIR}/bundled/darwin_amd64/libmailru.a
#cgo darwin,arm64 LDFLAGS: ${SRCDIR}/bundled/darwin_arm64/libmailru.a
#cgo linux LDFLAGS: -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
#cgo darwin LDFLAGS: -framework Security -framework CoreFoundation -liconv
*/
import "C"
