package wire

import (
	"bytes"
	"compress/gzip"
	"io"
	"strconv"

	"github.com/ulogkit/ulogkit/format"
)

// Limits of what is remembered of secrets.
const (
	maxTokens      = 1 << 16
	maxSecretTexts = 256
	minTokenSeen   = 10_000  // smaller numbers are everywhere
	minSecretText  = 6       // bytes
	maxUnpacked    = 1 << 20 // bytes of a gzipped payload that are looked at
)

// secrets recognises session tokens, passwords and addresses that let their
// holder write, by their looks and, once seen, by their value.
type secrets struct {
	tokens map[uint32]struct{}
	texts  [][]byte
}

// learnToken remembers a session token.
func (s *secrets) learnToken(token uint32) {
	if token < minTokenSeen || len(s.tokens) >= maxTokens {
		return
	}
	if s.tokens == nil {
		s.tokens = map[uint32]struct{}{}
	}
	s.tokens[token] = struct{}{}
}

// learn remembers a password or an address.
func (s *secrets) learn(text []byte) {
	if len(text) < minSecretText || len(s.texts) >= maxSecretTexts {
		return
	}
	for _, t := range s.texts {
		if bytes.Equal(t, text) {
			return
		}
	}
	s.texts = append(s.texts, bytes.Clone(text))
}

// marks are what only secrets have about them.
var marks = [][]byte{
	[]byte("X-Amz-Signature"), []byte("X-Amz-Credential"), []byte("X-Amz-Security-Token"), []byte("AWSAccessKeyId"),
	[]byte("presigned"), []byte("PRIVATE KEY-----"), []byte("ulg_"), []byte("Bearer "),
}

// keys are those of JSON objects, in lower case, whose values are secret.
var keys = map[string]bool{
	"token": true, "session_token": true, "api_token": true, "access_token": true, "auth_token": true, "presigned_url": true,
	"password": true, "passwd": true, "secret": true, "api_key": true, "apikey": true, "private_key": true,
}

// in reports whether there is a secret in a payload.
func (s *secrets) in(b []byte) bool {
	if s.inPlain(b) {
		return true
	}
	if !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return false
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return false
	}
	unpacked, _ := io.ReadAll(io.LimitReader(r, maxUnpacked)) // what there is
	return s.inPlain(unpacked)
}

func (s *secrets) inPlain(b []byte) bool {
	for _, m := range marks {
		if bytes.Contains(b, m) {
			return true
		}
	}
	for _, t := range s.texts {
		if bytes.Contains(b, t) {
			return true
		}
	}
	return hasSecretKey(b) || s.findToken(b) >= 0
}

// hasSecretKey looks for a key of a JSON object, also in one that is cut off.
func hasSecretKey(b []byte) bool {
	for {
		colon := bytes.IndexByte(b, ':')
		if colon < 0 {
			return false
		}
		before := bytes.TrimRight(b[:colon], " \t\r\n")
		b = b[colon+1:]
		n := len(before) - 1
		if n < 1 || before[n] != '"' {
			continue
		}
		if start := bytes.LastIndexByte(before[max(0, n-32):n], '"'); start >= 0 {
			key := before[max(0, n-32)+start+1 : n]
			if keys[string(bytes.ToLower(key))] {
				return true
			}
		}
	}
}

// findToken looks for a token that was seen: as a decimal or hexadecimal number,
// or as four bytes in either order. It returns where the number is, or -1.
func (s *secrets) findToken(b []byte) int {
	if len(s.tokens) == 0 {
		return -1
	}

	for i := 0; i < len(b); {
		if !isHexDigit(b[i]) {
			i++
			continue
		}
		end := i
		for end < len(b) && isHexDigit(b[end]) {
			end++
		}

		run := b[i:end]
		if s.isToken(run, 10) || len(run) == 8 && s.isToken(run, 16) || s.hasDecimal(run) {
			return i
		}
		i = end
	}

	var little, big uint32
	for i, c := range b {
		little, big = little>>8|uint32(c)<<24, big<<8|uint32(c)
		if i < 3 {
			continue
		}
		if _, ok := s.tokens[little]; ok {
			return i - 3
		}
		if _, ok := s.tokens[big]; ok {
			return i - 3
		}
	}
	return -1
}

// hasDecimal looks for a decimal token in a run of hexadecimal digits.
func (s *secrets) hasDecimal(run []byte) bool {
	for len(run) > 0 {
		n := 0
		for n < len(run) && run[n] <= '9' {
			n++
		}
		if s.isToken(run[:n], 10) {
			return true
		}
		run = run[max(n, 1):]
	}
	return false
}

func isHexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (s *secrets) isToken(digits []byte, base int) bool {
	const most = 20
	if len(digits) == 0 || len(digits) > most {
		return false
	}
	v, err := strconv.ParseUint(string(digits), base, 32)
	_, ok := s.tokens[uint32(v)]
	return err == nil && ok
}

// hidden stands for a text with a secret in it.
const hidden = "(hidden)"

// hide returns a text, or what stands for it if there is a secret in it.
func (c *Capture) hide(text string) string {
	if c.config.ShowSecrets || len(c.secrets.texts)+len(c.secrets.tokens) == 0 || !c.secrets.inPlain([]byte(text)) {
		return text
	}
	return hidden
}

// withoutToken returns a log whose session token is 0. The token is at the same
// place in every known version, and the checksum does not cover it.
//
// Source: FORMAT section 1.
func (c *Capture) withoutToken(log []byte) []byte {
	if len(log) < 2 {
		return log
	}
	c.scrubbed = append(c.scrubbed[:0], log...)
	clear(c.scrubbed[1:min(5, len(log))])
	return c.scrubbed
}

// withoutSecrets returns what may be shown of a payload: all of it, a log
// without its token, or nothing. What it is decides, not only its topic: a
// broker may have renamed that, or an alias stand for it.
func (c *Capture) withoutSecrets(kind Kind, b []byte) []byte {
	switch {
	case c.config.ShowSecrets:
		return b
	case kind == KindBootReply, kind == KindFirmwareReply, kind == KindBoot:
		return nil
	case kind == KindLog:
		return c.withoutToken(b)
	case kind == KindCoreDump:
		return b
	}
	if l, _, err := format.ParseLog(b); err == nil && l.Verify() == nil && len(l.Data()) > 0 {
		return c.withoutToken(b)
	}
	if c.secrets.in(b) {
		return nil
	}
	return b
}
