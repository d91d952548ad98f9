// A game's server: it hands out what was paid for, once for each transaction, and lets in players whom the platform
// launched. Both come as requests that anybody could send; only what the library has checked is believed.
//
//	MAILRU_APP_ID=... MAILRU_SECRET_KEY=... go run server.go [ADDRESS]
//
// In the application's settings the platform is told where it listens: the callback of payments is /payment, the address
// of the application's page /launch. Prints its address, then a line for each thing that happens. transactions.log keeps
// what was handed out; a server with a database keeps it in a table whose key is transaction_id.
package main

// #cgo pkg-config: mailru
// #include <mailru.h>
// #include <stdlib.h>
import "C"

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"unsafe"
)

var appID, secretKey = os.Getenv("MAILRU_APP_ID"), os.Getenv("MAILRU_SECRET_KEY")

// What is sold: the price of each service, in mailiki.
var prices = map[string]int{"10": 5, "11": 20}

// What the platform is answered where a payment is refused.
const (
	otherError     = 700
	userNotFound   = 701
	serviceUnknown = 702
	wrongPrice     = 703
)

// verify checks a query as it came. It returns the parameters that were checked: no others may be used.
func verify(kind, query string) (params map[string]string, expired bool, err error) {
	arguments := [3]*C.char{C.CString(kind), C.CString(secretKey), C.CString(query)}
	defer func() {
		for _, argument := range arguments {
			C.free(unsafe.Pointer(argument))
		}
	}()
	var code C.int32_t
	answer := C.mailru_verify_query(arguments[0], arguments[1], arguments[2], &code)
	defer C.mailru_string_free(answer)
	if code != C.MAILRU_OK {
		return nil, false, fmt.Errorf("%s: %s", C.GoString(C.mailru_code_name(code)), C.GoString(answer))
	}
	var checked struct {
		Params  map[string]string
		Expired bool
	}
	err = json.Unmarshal([]byte(C.GoString(answer)), &checked)
	if err == nil && checked.Params["app_id"] != appID {
		err = fmt.Errorf("it is for the application %s", checked.Params["app_id"])
	}
	return checked.Params, checked.Expired, err
}

// ledger knows which transactions were handed out, also after a restart.
type ledger struct {
	sync.Mutex
	file *os.File
	done map[string]bool
}

func openLedger(name string) (*ledger, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	l := &ledger{file: file, done: map[string]bool{}}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		l.done[lines.Text()] = true
	}
	return l, nil
}

// once does the work of a transaction unless it was done before. It is noted on the disk first: a server that dies in
// between hands out too little, which its owner can mend, and never the same thing twice.
func (l *ledger) once(transaction string, work func()) error {
	l.Lock()
	defer l.Unlock()
	if l.done[transaction] {
		fmt.Println("repeated", transaction)
		return nil
	}
	if _, err := fmt.Fprintln(l.file, transaction); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.done[transaction] = true
	work()
	return nil
}

// payment answers the platform's callback. The platform calls again until it gets an answer: a transaction that was done
// is answered as it was the first time.
func payment(transactions *ledger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		refuse := func(number int, why any) {
			fmt.Println("refused", why)
			fmt.Fprintf(w, `{"status":2,"error_code":%d}`, number)
		}
		w.Header().Set("Content-Type", "application/json")
		params, _, err := verify("payment", r.URL.RawQuery)
		if err != nil {
			refuse(otherError, err)
			return
		}
		price, isSold := prices[params["service_id"]]
		paid, err := strconv.Atoi(params["mailiki_price"])
		switch {
		case !isSold:
			refuse(serviceUnknown, "service "+params["service_id"])
		case err != nil || paid != price:
			refuse(wrongPrice, "price "+params["mailiki_price"])
		default:
			err = transactions.once(params["transaction_id"], func() {
				fmt.Println("handed out", params["service_id"], "to", params["uid"])
			})
			if err != nil {
				// Status 0 asks the platform to come back.
				fmt.Println("failed", err)
				fmt.Fprintf(w, `{"status":0,"error_code":%d}`, otherError)
				return
			}
			fmt.Fprint(w, `{"status":1}`)
		}
	}
}

// players knows who was let in, by a number that nobody can guess.
type players struct {
	sync.Mutex
	known map[string]string
}

// launch lets a player in: from then on the cookie says who it is. The launch's own address can be sent again by whoever
// sees it, until it expires.
func (p *players) launch(w http.ResponseWriter, r *http.Request) {
	params, expired, err := verify("launch", r.URL.RawQuery)
	if err != nil || expired {
		fmt.Println("kept out", err)
		http.Error(w, "Please start the game from the platform.", http.StatusForbidden)
		return
	}
	number := make([]byte, 16)
	if _, err := rand.Read(number); err != nil {
		http.Error(w, "Please try again.", http.StatusInternalServerError)
		return
	}
	key := hex.EncodeToString(number)
	p.Lock()
	p.known[key] = params["vid"]
	p.Unlock()
	// The game runs in a frame on the platform's page: the cookie is another site's there.
	http.SetCookie(w, &http.Cookie{Name: "player", Value: key, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteNoneMode})
	fmt.Println("let in", params["vid"])
	fmt.Fprintf(w, "Welcome, player %s.\n", params["vid"])
}

// whoami is any other page of the game: it knows the player by the cookie alone.
func (p *players) whoami(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie("player")
	if err == nil {
		p.Lock()
		vid, isKnown := p.known[cookie.Value]
		p.Unlock()
		if isKnown {
			fmt.Fprintf(w, "You are player %s.\n", vid)
			return
		}
	}
	http.Error(w, "Please start the game from the platform.", http.StatusForbidden)
}

func main() {
	if appID == "" || secretKey == "" {
		fmt.Fprintln(os.Stderr, "MAILRU_APP_ID and MAILRU_SECRET_KEY are needed")
		os.Exit(2)
	}
	address := "127.0.0.1:8081"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	transactions, err := openLedger("transactions.log")
	if err == nil {
		var listener net.Listener
		if listener, err = net.Listen("tcp", address); err == nil {
			fmt.Printf("http://%s\n", listener.Addr())
			guests := &players{known: map[string]string{}}
			http.HandleFunc("/payment", payment(transactions))
			http.HandleFunc("/launch", guests.launch)
			http.HandleFunc("/whoami", guests.whoami)
			err = http.Serve(listener, nil)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
