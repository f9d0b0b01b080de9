package localcloud

import (
	"os"
	"path/filepath"
	"testing"
)

// What an earlier run received is never written over.
func TestNumbersGoOn(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		r := Received{Kind: KindLog, ApplicationID: 7, DeviceSerial: "SN-1", Payload: []byte("x")}
		if err := newInbox(dir, 0).add(&r); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("got %v, %v, want three files", files, err)
	}
	for i, f := range files {
		r := Received{Kind: KindLog, ApplicationID: 7, DeviceSerial: "SN-1"}
		if want := fileName(i+1, &r); f.Name() != want {
			t.Errorf("got %s, want %s", f.Name(), want)
		}
	}
}

// A message that cannot be written has not been received, and leaves nothing.
func TestMessageThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	r := Received{Kind: KindLog, ApplicationID: 7, DeviceSerial: "SN-1", Payload: []byte("x")}
	if err := os.Mkdir(filepath.Join(dir, fileName(1, &r)), 0o700); err != nil {
		t.Fatal(err)
	}
	b := newInbox("", 1000)
	b.dir = dir
	if err := b.add(&r); err == nil || len(b.all()) != 0 {
		t.Errorf("got %v and %d messages, want an error and none", err, len(b.all()))
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("got %v, %v, want nothing beside what was there", files, err)
	}
}
