module libmailru.example/tests

go 1.24

require libmailru.example/mailru v0.0.0

replace libmailru.example/mailru => ../../../src/bindings/go
