module mailru

go 1.21
