package localcloud

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/topic"
)

// Largest firmware file taken, in bytes.
const maxFirmware = 64 << 20

// uploads is where firmware is put: an HTTPS server whose addresses work once.
type uploads struct {
	cloud    *Cloud
	listener net.Listener
	server   *http.Server
	done     sync.WaitGroup

	mu      sync.Mutex
	pending map[string]Received // by path and query
}

func newUploads(c *Cloud, host string, a *authority) (*uploads, error) {
	t, err := a.serverTLS(host)
	if err != nil {
		return nil, err
	}
	t.ClientAuth, t.NextProtos = tls.NoClientCert, nil
	tcp, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	u := &uploads{cloud: c, listener: tls.NewListener(tcp, t), pending: make(map[string]Received)}
	u.server = &http.Server{
		Handler: u, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	u.done.Go(func() { u.server.Serve(u.listener) })
	return u, nil
}

func (u *uploads) close() error {
	err := u.server.Close()
	u.done.Wait()
	return err
}

// presign returns an address for one file.
func (u *uploads) presign(r Received) string {
	b := make([]byte, 16)
	rand.Read(b)
	path := "/firmware/" + hex.EncodeToString(b[:4]) + "?X-Signature=" + hex.EncodeToString(b)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pending[path] = r
	return "https://" + u.listener.Addr().String() + path
}

// ServeHTTP implements http.Handler.
func (u *uploads) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	key := req.URL.Path + "?" + req.URL.RawQuery
	u.mu.Lock()
	r, ok := u.pending[key]
	delete(u.pending, key)
	u.mu.Unlock()
	switch {
	case !ok:
		http.Error(w, "no such address, or used before", http.StatusForbidden)
		return
	case req.Method != http.MethodPut || req.Header.Get("Content-Type") != "application/octet-stream":
		http.Error(w, "PUT of application/octet-stream", http.StatusBadRequest)
		return
	}

	b, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxFirmware))
	if err != nil {
		http.Error(w, "not read", http.StatusBadRequest)
		return
	}
	r.Payload, r.Bytes, r.SHA256, r.Time = b, len(b), sha256.Sum256(b), time.Now()
	if format.Recognize(b) != format.ContentELF {
		r.Err = errors.New("not an ELF file")
	}

	if err := u.cloud.inbox.add(&r); err != nil {
		http.Error(w, "not written", http.StatusInternalServerError)
		return
	}

	if f := u.cloud.cfg.OnReceive; f != nil {
		f(r)
	}
	u.cloud.log.Info("received", "kind", r.Kind, "bytes", r.Bytes, "file", r.File, "error", r.Err)
}

// answerFirmware answers a request for an address.
func (c *Cloud) answerFirmware(a address, pk packets.Packet) {
	var req struct {
		UploadID      json.Number `json:"upload_id"`
		DeviceType    string      `json:"device_type"`
		ApplicationID uint32      `json:"application_id"`
		GitHash       string      `json:"git_hash"`
	}
	err := json.Unmarshal(pk.Payload, &req)
	reply := topic.Topic[string]{Kind: topic.FirmwareReply, Prefix: a.Prefix, Customer: a.Customer, Group: a.Group, UploadID: req.UploadID.String()}
	to, bad := reply.Name()
	if err = errors.Join(err, bad); err != nil {
		c.log.Warn("firmware request cannot be used", "topic", pk.TopicName, "error", err)
		return
	}

	address := c.upload.presign(Received{
		Kind: KindFirmware, Topic: pk.TopicName, ApplicationID: req.ApplicationID, DeviceSerial: req.DeviceType,
	})
	body, err := json.Marshal(map[string]any{"upload_id": req.UploadID, "presigned_url": address})
	if err != nil {
		return
	}

	if err := publishReply(c.broker, to, body, pk.Properties.CorrelationData); err != nil {
		c.log.Error("firmware reply", "error", err)
	}
}
