package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// pythonPeer is a process with the vendor's library in it.
type pythonPeer struct {
	in  io.Writer
	out *bufio.Scanner
}

// request is what testdata/peer.py does, n times.
type request struct {
	Do     string `json:"do"`
	N      int    `json:"n"`
	Log    string `json:"log"`
	Port   int    `json:"port,omitempty"`
	Serial string `json:"serial,omitempty"`
}

// newPythonPeer starts the library that .ci/python/install has put there. Where there is
// none, the benchmark is left out, and says so.
func newPythonPeer(tb testing.TB) *pythonPeer {
	tb.Helper()
	python, err := filepath.Abs("../.ci/python/venv-1.2.3/bin/python")
	if err != nil {
		tb.Fatal(err)
	}

	if _, err := os.Stat(python); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal("got no library of the vendor, want it in CI; run .ci/python/install")
		}
		tb.Skip("the vendor's library is not installed; .ci/python/install does it")
	}

	cmd := exec.Command(python, "-I", "-u", "testdata/peer.py")
	cmd.Env = []string{"HOME=" + tb.TempDir(), "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	var said bytes.Buffer // it tells each connection
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}

	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("the library's process: got %v, want exit code 0\n%s", err, &said)
		}
	})

	return &pythonPeer{in, bufio.NewScanner(out)}
}

// do waits until the request has been done, and well.
func (p *pythonPeer) do(tb testing.TB, r request) {
	tb.Helper()
	line, err := json.Marshal(r)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		tb.Fatal(err)
	}
	if !p.out.Scan() || p.out.Text() != `{"good": true}` {
		tb.Fatalf("%s: got %q, error %v from the library, want {\"good\": true}", r.Do, p.out.Text(), p.out.Err())
	}
}

// pythonLog is a log of that many bytes.
func pythonLog(tb testing.TB, size int) []byte {
	tb.Helper()
	b, err := format.NewLogBuilder(3)
	if err != nil {
		tb.Fatal(err)
	}
	record := &format.Record{Level: format.LevelInfo, FmtAddr: 0x8000, Args: []format.Arg{format.ArgU32(0x12345678)}}
	var log []byte
	for {
		if err := b.Add(record); err != nil {
			tb.Fatal(err)
		}
		next, err := b.AppendTo(nil)
		if err != nil {
			tb.Fatal(err)
		}
		if len(next) > size {
			return log
		}
		log = next
	}
}

// BenchmarkValidate is what an uploader asks of a log first: is it one, and is its
// checksum right?
func BenchmarkValidate(b *testing.B) {
	const size = 16384
	peer := newPythonPeer(b)
	log := pythonLog(b, size)
	b.Run(fmt.Sprintf("impl=format/size=%d", size), func(b *testing.B) {
		b.SetBytes(int64(len(log)))
		b.ReportAllocs()
		for b.Loop() {
			l, _, err := format.ParseLog(log)
			if err != nil || l.Verify() != nil {
				b.Fatalf("got errors %v, %v, want a sound log", err, l.Verify())
			}
		}
	})
	b.Run(fmt.Sprintf("impl=python/size=%d", size), func(b *testing.B) {
		b.SetBytes(int64(len(log)))
		r := request{Do: "validate", N: b.N, Log: hex.EncodeToString(log)}
		b.ResetTimer()
		peer.do(b, r)
	})
}

// uploadCloud is a stand-in cloud that counts the logs that it got whole.
type uploadCloud struct {
	*localcloud.Cloud
	logs atomic.Int64
}

func newUploadCloud(tb testing.TB) *uploadCloud {
	tb.Helper()
	c := &uploadCloud{}
	var err error
	c.Cloud, err = localcloud.Start(context.Background(), localcloud.Config{
		Plaintext: true, // the library takes no certificate of an authority of ours
		OnReceive: func(r localcloud.Received) {
			if r.Err == nil && r.Kind == localcloud.KindLog {
				c.logs.Add(1)
			}
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// wait waits until the cloud has so many logs.
func (c *uploadCloud) wait(tb testing.TB, want int64) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); c.logs.Load() < want; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("the cloud has %d logs, want %d", c.logs.Load(), want)
		}
	}
}

// BenchmarkUpload uploads logs of 1 KiB until the cloud has them: one, with all that
// comes before it (connection, registration), and a thousand over one connection.
func BenchmarkUpload(b *testing.B) {
	peer := newPythonPeer(b)
	log := pythonLog(b, 1024)

	for _, impl := range []struct {
		name string
		run  func(b *testing.B, c *uploadCloud, logs, times int)
	}{
		{"mqttv5", uploadOurs},
		{"python", func(b *testing.B, c *uploadCloud, logs, times int) {
			r := request{Do: "upload", N: times, Port: c.Port(), Serial: "PY-1", Log: hex.EncodeToString(log)}
			if logs > 1 {
				r.Do, r.N = "upload_many", logs*times
			}
			peer.do(b, r)
		}},
	} {
		for _, logs := range []int{1, 1000} {
			b.Run(fmt.Sprintf("impl=%s/logs=%d", impl.name, logs), func(b *testing.B) {
				cloud := newUploadCloud(b)
				b.ReportAllocs()
				b.ResetTimer()
				impl.run(b, cloud, logs, b.N)
				cloud.wait(b, int64(logs*b.N))
				b.StopTimer()
				b.ReportMetric(float64(logs*b.N)/b.Elapsed().Seconds(), "logs/s")
			})
		}
	}
}

// uploadOurs is the same with our client: a new one for each log, or one for all.
func uploadOurs(b *testing.B, c *uploadCloud, logs, times int) {
	b.Helper()
	log := pythonLog(b, 1024)
	device := mqttv5.DeviceInfo{ApplicationID: 7, DeviceSerial: "GO-1", DeviceType: "lamp", GitVersion: "v1.0.0", GitHash: "3f2c9a1"}
	var client *mqttv5.Client
	for i := range logs * times {
		if client == nil {
			var err error
			client, err = mqttv5.New(mqttv5.Config{
				Broker: c.Host(), Port: c.Port(), CustomerID: "42", InsecurePlaintext: true,
				Tuning: mqttv5.Tuning{PublishesPerSecond: -1, BytesPerSecond: -1},
			})
			if err != nil {
				b.Fatal(err)
			}
		}

		if _, err := client.UploadLog(b.Context(), device, log); err != nil {
			b.Fatal(err)
		}
		if logs == 1 || i == logs*times-1 {
			if err := client.Close(); err != nil {
				b.Fatal(err)
			}
			client = nil
		}
	}
}
