package natssink

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is a JetStream cluster of three servers in this process.
type cluster struct {
	t       testing.TB
	options []*server.Options
	servers []*server.Server
}

func freePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func startCluster(t testing.TB, n int) *cluster {
	t.Helper()
	c := &cluster{t: t, servers: make([]*server.Server, n)}
	ports := freePorts(t, 2*n)
	var routes []*url.URL
	for _, p := range ports[:n] {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", p)})
	}
	for i := range n {
		o := &server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: ports[n+i],
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, NoLog: true, NoSigs: true,
		}
		if n > 1 {
			o.Cluster, o.Routes = server.ClusterOpts{Name: "C", Host: "127.0.0.1", Port: ports[i]}, routes
		}
		c.options = append(c.options, o)
		c.start(i)
	}

	t.Cleanup(func() {
		for i := range c.servers {
			c.stop(i)
		}
	})

	c.waitReady()
	return c
}

func (c *cluster) start(i int) {
	c.t.Helper()
	s, err := server.NewServer(c.options[i].Clone())
	if err != nil {
		c.t.Fatal(err)
	}
	s.Start()
	c.servers[i] = s
}

func (c *cluster) stop(i int) {
	if c.servers[i] != nil {
		c.servers[i].Shutdown()
		c.servers[i].WaitForShutdown()
		c.servers[i] = nil
	}
}

// wait polls: the servers tell nobody.
func (c *cluster) wait(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			c.t.Fatalf("got nothing in two minutes, want %s", what)
		}
	}
}

func (c *cluster) waitReady() {
	c.t.Helper()
	c.wait("a leader", func() bool {
		if len(c.servers) == 1 {
			return c.servers[0].ReadyForConnections(time.Second)
		}
		for _, s := range c.servers {
			if s != nil && s.ReadyForConnections(10*time.Millisecond) && s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == len(c.servers) {
				return true
			}
		}
		return false
	})
}

// leader returns the number of the server that leads a stream.
func (c *cluster) leader(stream string) (n int) {
	c.t.Helper()
	c.wait("a leader of the stream", func() bool {
		for i, s := range c.servers {
			if s != nil && s.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream) {
				n = i
				return true
			}
		}
		return false
	})
	return n
}

func (c *cluster) url() string {
	var all []string
	for _, o := range c.options {
		all = append(all, fmt.Sprint("nats://127.0.0.1:", o.Port))
	}
	return strings.Join(all, ",")
}
