package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestMain(main *testing.M) {
	if os.Getenv("LISTEN") != "" {
		// The test's own child.
		runServer()
		return
	}
	var options struct {
		TokenURL string `json:"token_url"`
	}
	if err := json.Unmarshal([]byte(os.Getenv("MAILRU_OPTIONS")), &options); err != nil {
		panic(err)
	}
	os.Setenv("LOGINS", strings.TrimSuffix(options.TokenURL, "/token")+"/authorize")
	os.Exit(main.Run())
}

func runServer() { main() }

// browser logs in as a user's browser does, at the sandbox.
func browser(t *testing.T, address string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 500}}
	if status, text := get(client, address+"/login"); status != 200 || text != "logged in\n" {
		t.Fatalf("no login: %d %s", status, text)
	}
	return client
}

func get(client *http.Client, address string) (int, string) {
	answer, err := client.Get(address)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(text)
}

// atOnce makes so many requests at once, and returns when all are answered, with what each was.
func atOnce(client *http.Client, requests int, address string) map[int]int {
	statuses := make(chan int, requests)
	var all sync.WaitGroup
	for range requests {
		all.Add(1)
		go func() {
			defer all.Done()
			status, _ := get(client, address)
			statuses <- status
		}()
	}
	all.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	return count
}

// inFlight waits until so many calls of a browser's session are.
func inFlight(t *testing.T, client *http.Client, address string, calls int) {
	t.Helper()
	var stats struct {
		InFlight int `json:"in_flight"`
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, text := get(client, address+"/stats"); json.Unmarshal([]byte(text), &stats) == nil && stats.InFlight == calls {
			return
		}
	}
	t.Fatalf("%d calls are in flight", stats.InFlight)
}

// threads and descriptors of this process.
func resources(t *testing.T) (threads, descriptors int) {
	t.Helper()
	for _, folder := range []struct {
		name  string
		count *int
	}{{"/proc/self/task", &threads}, {"/proc/self/fd", &descriptors}} {
		entries, err := os.ReadDir(folder.name)
		if err != nil {
			t.Skip("needs /proc")
		}
		*folder.count = len(entries)
	}
	return
}

// settled waits until no more goroutines are left than there were.
func settled(t *testing.T, before int) {
	t.Helper()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines were left, %d had been there:\n%s", runtime.NumGoroutine(), before,
		stacks[:runtime.Stack(stacks, true)])
}

func TestFiveHundredRequestsAtOnceAndACleanStop(t *testing.T) {
	before := runtime.NumGoroutine()
	_, descriptors := resources(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := newApplication("http://" + listener.Addr().String())
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- app.serve(ctx, listener, 100*time.Millisecond) }()
	client := browser(t, app.address)
	if status, _ := get(&http.Client{}, app.address+"/call/friends.get"); status != http.StatusUnauthorized {
		t.Errorf("a stranger got %d", status)
	}
	// Each is held back for half a second, so that they are in flight together.
	if got := atOnce(client, 500, app.address+"/call/sandbox.echo.together"); got[200] != 500 {
		t.Errorf("the statuses were %v", got)
	}
	answer, err := client.Post(app.address+"/photo", "image/png", strings.NewReader("\x89PNG"))
	if err != nil || answer.StatusCode != 200 {
		t.Errorf("no photo: %v %v", answer, err)
	} else {
		answer.Body.Close()
	}
	// Far fewer than calls: how many exactly depends on how busy the machine is.
	if threads, _ := resources(t); threads > 250 {
		t.Errorf("%d threads for 500 calls", threads)
	}
	if got := atOnce(client, 500, app.address+"/call/sandbox.echo.together"); got[200] != 500 {
		t.Errorf("the statuses were %v", got)
	}
	// The stop, while 300 calls are in flight that nobody ever answers.
	over := make(chan map[int]int, 1)
	go func() { over <- atOnce(client, 300, app.address+"/call/sandbox.echo.slow") }()
	inFlight(t, client, app.address, 300)
	began := time.Now()
	stop()
	if err := <-served; err != nil {
		t.Errorf("the server did not stop cleanly: %v", err)
	}
	if got := <-over; got[http.StatusServiceUnavailable] != 300 {
		t.Errorf("the statuses were %v", got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
	client.CloseIdleConnections()
	http.DefaultClient.CloseIdleConnections()
	settled(t, before)
	// The library keeps 16 connections for later calls, and a queue's descriptors.
	if _, left := resources(t); left > descriptors+30 {
		t.Errorf("%d descriptors became %d", descriptors, left)
	}
}

func TestASignalStopsIt(t *testing.T) {
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), "LISTEN=127.0.0.1:0")
	server.Stderr = os.Stderr
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Process.Kill()
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address = strings.TrimSpace(address)
	client := browser(t, address)
	over := make(chan map[int]int, 1)
	go func() { over <- atOnce(client, 100, address+"/call/sandbox.echo.slow") }()
	inFlight(t, client, address, 100)
	began := time.Now()
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("not a clean end: %v after %s", err, time.Since(began))
	}
	if got := <-over; got[http.StatusServiceUnavailable] != 100 {
		t.Errorf("the statuses were %v", got)
	}
}
