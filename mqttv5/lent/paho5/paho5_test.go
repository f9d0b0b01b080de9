package paho5_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
	"github.com/ulogkit/ulogkit/mqttv5/lent"
	"github.com/ulogkit/ulogkit/mqttv5/lent/paho5"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func lend(t *testing.T, b *mqtttest.Broker) *paho5.Connection {
	t.Helper()
	cfg := autopaho.ClientConfig{
		ServerUrls: []*url.URL{{Scheme: "mqtt", Host: fmt.Sprintf("127.0.0.1:%d", b.Listen(t, nil, nil))}}, KeepAlive: 20,
		ReconnectBackoff: autopaho.NewConstantBackoff(10 * time.Millisecond), ClientConfig: paho.ClientConfig{ClientID: "gateway", PacketTimeout: time.Hour},
	}
	c := paho5.Lend(&cfg)
	cm, err := autopaho.NewConnection(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cm.Disconnect(context.Background())
		<-cm.Done()
	})
	return c
}

// What the broker answers is what the client acts upon, as on a connection of its own:
// the code, the record id, the correlation data.
func TestCodesAndPropertiesReachTheClient(t *testing.T) {
	b := mqtttest.NewBroker(t)
	var code atomic.Uint32
	code.Store(0x97)
	b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
		if mqtttest.RecordID(p) == "" {
			return false // boot
		}
		c.Puback(p.PacketID, byte(code.Load()))
		return true
	}
	client, err := mqttv5.New(mqttv5.Config{CustomerID: "42", Lent: lend(t, b)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dev, log := devicetest.Info(1), devicetest.Log(t, 1, 300)

	var e *mqttv5.Error
	if _, err := client.UploadLog(ctx, dev, log); !errors.As(err, &e) || e.Code != mqttv5.ReasonQuotaExceeded {
		t.Errorf("got %v, want Quota exceeded", err)
	}
	code.Store(0x10)
	if _, err := client.UploadLog(ctx, dev, log); !errors.Is(err, mqttv5.ErrNobody) {
		t.Errorf("got %v, want ErrNobody", err)
	}
	code.Store(0)
	receipt, err := client.UploadLog(ctx, dev, log)
	if err != nil || receipt.ID == "" {
		t.Errorf("got receipt %+v, %v, want one with an ID", receipt, err)
	}
	if ids := b.IDs(); ids[len(ids)-1] != receipt.ID {
		t.Errorf("got records %q, want %s last", ids, receipt.ID)
	}
}

// paho stores the broker's Maximum Packet Size and ignores it; the broker would close
// the host's connection.
func TestPacketsTooLargeAreNotSent(t *testing.T) {
	b := mqtttest.NewBroker(t)
	b.OnConnack = func(_ *mqtttest.Conn, ca *packets.Connack) {
		most := uint32(5000)
		ca.Properties.MaximumPacketSize = &most
	}
	c := lend(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var refused *lent.Refusal
	if err := c.Publish(ctx, lent.Message{Topic: "a", Payload: make([]byte, 4996)}); !errors.As(err, &refused) || refused.Code != byte(mqttv5.ReasonPacketTooLarge) {
		t.Errorf("got %v, want a refusal for %v", err, mqttv5.ReasonPacketTooLarge)
	}
	if err := c.Publish(ctx, lent.Message{Topic: "a", Payload: make([]byte, 4900)}); err != nil {
		t.Error(err)
	}
}

// A message in flight ends with the connection, and not when paho gives up on it.
func TestPublishEndsWithTheConnection(t *testing.T) {
	b := mqtttest.NewBroker(t)
	b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
		c.Close()
		return true
	}
	c := lend(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := c.Publish(ctx, lent.Message{Topic: "a"}); err == nil || ctx.Err() != nil {
		t.Errorf("got %v, want an error while the caller still waits", err)
	}
}
