module libmailru.example/mailru

go 1.24
