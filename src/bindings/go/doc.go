// Package mailru calls the Mail.ru platform's REST API through libmailru.
//
//	app := mailru.Config{AppID: "423004", PrivateKey: "7815696ecbf1c96e6894b779456d330e"}
//	session, err := app.TokenSession("be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817")
//	if err != nil {
//		return err
//	}
//	defer session.Close()
//	answer, err := session.Call(ctx, "friends.get", mailru.Params{"ext": 1})
//
// A [Session] holds an application's keys and a user's tokens, and serves any number of goroutines at once. It gets
// its tokens, renews them and repeats what may be repeated by itself. What each function does in detail is told in
// the manual, mailru.h: the comment of each function here names the functions of mailru.h that it stands for.
//
// # Errors
//
// Each failure is an [*Error] with everything that the library told. errors.Is finds its kind ([ErrTimeout]), the
// platform's number ([Number]) and, where a context ended the call, the context's error:
//
//	switch {
//	case errors.Is(err, mailru.Number(102)): // the session key or the uid is incorrect
//	case errors.Is(err, context.Canceled):
//	case errors.Is(err, mailru.ErrNetwork):
//	}
//
// # Contexts
//
// A call ends with its context, within 50 ms of a cancellation, and no other call ends with it. A deadline counts
// where it comes before the session's own limit, [Options].Timeout.
//
// # Threads
//
// The first 32 calls in flight have a thread of the operating system each, as calls into C do. Those beyond are handed
// to a queue of the library's, which needs one thread for up to 65,536 of them: a program may have as many goroutines
// in calls as it likes.
//
// # Closing
//
// [Session.Close] ends a session's calls and releases what it holds. A session that is forgotten is closed after the
// garbage collector has found it, unless a function given to [Session.OnToken] or [Session.OnRenewal] mentions it.
//
// # Building
//
// The package needs cgo, a C compiler and libmailru, which it finds in one of three ways:
//
//	go build                       an installed library: pkg-config finds it (PKG_CONFIG_PATH, if it is elsewhere)
//	go build -tags mailru_bundled  libmailru.a in bundled/<GOOS>_<GOARCH> and mailru.h in bundled/include of this module
//	go build -tags mailru_flags    whatever CGO_CFLAGS and CGO_LDFLAGS say
//
// The second makes a program that runs without the library installed: both files are copied there from an installation.
// The module has no public home yet: `go mod edit
// -replace=libmailru.example/mailru=<folder>` leads to a folder with a copy of it.
package mailru
