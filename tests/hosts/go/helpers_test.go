package tests

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"libmailru.example/mailru"
)

func TestQueues(t *testing.T) {
	session := client(t)
	queue, err := mailru.NewQueue(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	if _, err := queue.Poll(); !errors.Is(err, mailru.ErrQueueEmpty) || queue.Descriptor() < 0 {
		t.Errorf("a new queue: %v", err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer stop()
	if _, err := queue.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waited for nothing: %v", err)
	}
	for tag, request := range []mailru.Request{{Method: "sandbox.echo"}, {Public: "mail/demo"},
		{Method: "sandbox.echo", Timeout: 5 * time.Second}, {Method: "no.such.method"}, {Method: "sandbox.echo.slow"}} {
		if err := queue.Submit(session, request, uint64(tag)); err != nil {
			t.Errorf("%d: %v", tag, err)
		}
	}
	if err := queue.Submit(session, mailru.Request{Method: "no name"}, 9); !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("no method: %v", err)
	}
	for range 5 {
		if err := queue.Cancel(4); err != nil {
			t.Error(err)
		}
		done, err := queue.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		wanted := map[uint64]error{3: mailru.Number(2), 4: mailru.ErrCancelled}[done.Tag]
		if !errors.Is(done.Err, wanted) || wanted == nil && len(done.Answer) == 0 {
			t.Errorf("%d: %s, %v", done.Tag, done.Answer, done.Err)
		}
	}
	queue.Close()
	if _, err := queue.Next(context.Background()); !errors.Is(err, mailru.ErrInvalidHandle) {
		t.Errorf("a freed queue: %v", err)
	}
	if _, err := mailru.NewQueue(70000, 0); !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("more in flight than can be: %v", err)
	}
}

func TestSessionsOfEveryKind(t *testing.T) {
	for _, circuit := range []mailru.Circuit{mailru.Inferred, mailru.ClientServer, mailru.ServerServer} {
		config := app()
		config.SecretKey, config.Circuit = "3dad9cbf9baaa0360c0f2ba372d25716", circuit
		for name, open := range map[string]func() (*mailru.Session, error){
			"public":   func() (*mailru.Session, error) { return config.PublicSession() },
			"token":    func() (*mailru.Session, error) { return config.TokenSession(key, uid) },
			"code":     func() (*mailru.Session, error) { return config.CodeSession("c", "http://localhost/") },
			"password": func() (*mailru.Session, error) { return config.PasswordSession("e", "p", "photos", "stream") },
			"refresh":  func() (*mailru.Session, error) { return config.RefreshSession("r") },
			"stored": func() (*mailru.Session, error) {
				return config.StoredSession(mailru.Tokens{AccessToken: key, UID: uid})
			},
		} {
			session, err := open()
			if err != nil {
				t.Errorf("%s %q: %v", name, circuit, err)
				continue
			}
			wanted := map[mailru.Circuit]mailru.Circuit{mailru.Inferred: mailru.ClientServer}[circuit]
			if wanted == "" {
				wanted = circuit
			}
			if signed, err := session.Sign("friends.get", nil); name == "token" || name == "stored" {
				if err != nil || signed.Circuit != wanted || signed.Params["sig"] != signed.Sig {
					t.Errorf("%s %q: signed %v, %v", name, circuit, signed, err)
				}
			}
			session.Close()
			session.Close()
			if _, err := session.Call(context.Background(), "friends.get", nil); !errors.Is(err, mailru.ErrInvalidHandle) {
				t.Errorf("a closed session: %v", err)
			}
		}
	}
	wrong := app()
	wrong.Circuit = "circle"
	if _, err := wrong.TokenSession(key, uid); !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("no circuit: %v", err)
	}
}

func TestVerification(t *testing.T) {
	const query = "app_id=524632&mailiki_price=10&other_price=10000&profit=5000&service_id=10" +
		"&transaction_id=3751&uid=104&sig=961a705e28008186d443fe211608184c"
	payment, err := mailru.VerifyQuery(mailru.Payment, "secretkey", query)
	if err != nil || payment.Params["transaction_id"] != "3751" || payment.Expired || !payment.ExpiresAt.IsZero() {
		t.Errorf("%+v %v", payment, err)
	}
	if _, err := mailru.VerifyQuery(mailru.Payment, "another", query); !errors.Is(err, mailru.ErrSignatureMismatch) {
		t.Errorf("forged: %v", err)
	}
	if _, err := mailru.VerifyQuery("gift", "secretkey", query); !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("no kind: %v", err)
	}
	values, _ := url.ParseQuery(query)
	params := mailru.Params{}
	for name := range values {
		params[name] = values.Get(name)
	}
	if err := mailru.Verify("secretkey", params); err != nil {
		t.Error(err)
	}
	if err := mailru.Verify("another", params); !errors.Is(err, mailru.ErrSignatureMismatch) {
		t.Errorf("forged: %v", err)
	}
	if err := mailru.VerifyLaunch("secretkey", params); !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("no launch: %v", err)
	}
}

func TestCatalogue(t *testing.T) {
	methods, err := mailru.Methods()
	if err != nil || len(methods) < 50 || methods[0].Name == "" || len(methods[0].Params) == 0 {
		t.Errorf("%d methods, %v", len(methods), err)
	}
	if mailru.Version() == "" {
		t.Error("no version")
	}
}
