module github.com/ulogkit/ulogkit

go 1.26
