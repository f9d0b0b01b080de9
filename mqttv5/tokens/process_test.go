package tokens

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
)

func TestMain(m *testing.M) {
	childtest.Main(map[string]func([]string) error{"tokens": childTokens})
	os.Exit(m.Run())
}

// childTokens writes tokens into a file that others write as well.
func childTokens(args []string) error {
	s, err := OpenFile(Config{Path: args[0]})
	if err != nil {
		return err
	}
	who, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := range 10 {
		key := Key{Broker: "b", CustomerID: "1", ApplicationID: uint32(who), DeviceSerial: fmt.Sprint(i), GitHash: "g"}
		if err := s.SetToken(context.Background(), key, uint32(who*1000+i+1)); err != nil {
			return err
		}
	}
	return nil
}

func TestF20TokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	const processes = 16
	var children []*childtest.Child
	for n := range processes {
		children = append(children, childtest.Start(t, "tokens", path, fmt.Sprint(n+1)))
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}

	s, err := OpenFile(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}

	for n := 1; n <= processes; n++ {
		for i := range 10 {
			key := Key{Broker: "b", CustomerID: "1", ApplicationID: uint32(n), DeviceSerial: fmt.Sprint(i), GitHash: "g"}
			if token, ok, err := s.Token(t.Context(), key); !ok || err != nil || token != uint32(n*1000+i+1) {
				t.Errorf("process %d token %d: got %d, known %v, error %v, want %d and known", n, i, token, ok, err, n*1000+i+1)
			}
		}
	}
}
