// Command in_flight has thousands of goroutines in calls at once: in_flight CALLS, against the sandbox of the environment.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"libmailru.example/mailru"
)

// Calls and submissions on threads of their own, the queue's, and what the Go runtime makes for itself.
const mostThreads = 32 + 4 + 1 + 60

// control asks the sandbox for one of its numbers.
func control(method, path, member string) int {
	request, err := http.NewRequest(method, os.Getenv("MAILRU_SANDBOX_CONTROL")+"/sandbox/"+path, strings.NewReader("{}"))
	check(err)
	response, err := http.DefaultClient.Do(request)
	check(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(err)
	var numbers map[string]any
	check(json.Unmarshal(text, &numbers))
	number, _ := numbers[member].(float64)
	return int(number)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	calls, err := strconv.Atoi(os.Args[1])
	check(err)
	app := mailru.Config{AppID: "423004", PrivateKey: "7815696ecbf1c96e6894b779456d330e", Options: mailru.Options{
		JSON: json.RawMessage(os.Getenv("MAILRU_OPTIONS")), Timeout: 4 * time.Minute}}
	session, err := app.TokenSession("be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817")
	check(err)
	defer session.Close()

	var all sync.WaitGroup
	for number := range calls {
		all.Add(1)
		go func() {
			defer all.Done()
			answer, err := session.Call(context.Background(), "sandbox.echo.held", mailru.Params{"number": number})
			check(err)
			if !strings.Contains(answer.String(), fmt.Sprintf(`"number":"%d"`, number)) {
				log.Fatalf("%d got %s", number, answer)
			}
		}()
	}
	for control("GET", "stats", "held") < calls {
		time.Sleep(100 * time.Millisecond)
	}
	threads, err := os.ReadDir("/proc/self/task")
	check(err)
	fmt.Printf("measured: Go: %d calls in flight, %d threads\n", calls, len(threads))
	if len(threads) > mostThreads {
		log.Fatal("too many threads")
	}
	if released := control("POST", "release", "released"); released != calls {
		log.Fatalf("%d were in flight", released)
	}
	all.Wait()
}
