package fault

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestErrorSaysWhatWhyAndWhatToDo(t *testing.T) {
	cause := errors.New("disk on fire")
	for _, c := range []struct {
		err  *Error
		want string
	}{
		{&Error{Op: "open outbox", Class: ErrClosed}, "open outbox"},
		{&Error{Op: "open outbox", Class: ErrStorage, Err: cause}, "open outbox: disk on fire"},
		{&Error{Op: "publish", Class: ErrRefused, Code: ReasonQuotaExceeded}, "publish: Quota exceeded (0x97)"},
		{&Error{Op: "publish", Class: ErrRefused, Code: ReasonQuotaExceeded, Err: cause, Hint: "wait"}, "publish: disk on fire; wait"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestErrorIsItsClassAndItsCause(t *testing.T) {
	err := &Error{Op: "read", Class: ErrTooLargeData, Err: fs.ErrNotExist}
	for _, class := range []error{ErrTooLarge, ErrBadData, fs.ErrNotExist} {
		if !errors.Is(err, class) {
			t.Errorf("errors.Is(%q, %q): got false, want true", err, class)
		}
	}
	if errors.Is(err, ErrNetwork) {
		t.Errorf("errors.Is(%q, %q): got true, want false", err, ErrNetwork)
	}
}

func TestCodeIsFoundInWrappedErrors(t *testing.T) {
	err := errors.Join(errors.New("x"), &Error{Op: "publish", Class: ErrRefused, Code: ReasonNotAuthorized})
	if got := Code(err); got != ReasonNotAuthorized {
		t.Errorf("got %v, want %v", got, ReasonNotAuthorized)
	}
	if got := Code(errors.New("x")); got != 0 {
		t.Errorf("without a code: got %v, want %v", got, ReasonCode(0))
	}
}

func TestPathCauseLeavesOutTheName(t *testing.T) {
	_, err := os.Open("no such file")
	if got, want := PathCause(err).Error(), "no such file or directory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := PathCause(ErrClosed); got != ErrClosed {
		t.Errorf("without a path: got %v, want %v", got, ErrClosed)
	}
}

func TestReasonCodeHasItsNameAndNumber(t *testing.T) {
	for code, want := range map[ReasonCode]string{
		ReasonSuccess: "Success (0x00)", ReasonQuotaExceeded: "Quota exceeded (0x97)",
		0x80: "Unspecified error (0x80)", 0x7F: "unknown reason code (0x7F)",
	} {
		if got := code.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for code, want := range map[ReasonCode]bool{ReasonSuccess: false, ReasonNoMatchingSubscribers: false, 0x7F: false, 0x80: true, 0xFF: true} {
		if got := code.Failed(); got != want {
			t.Errorf("%v failed: got %v, want %v", code, got, want)
		}
	}
}
