// Package demo runs the whole line on one machine: [Run] starts the stand-in
// cloud, simulates devices, registers them, uploads their logs and a crash
// dump, and waits until the far side holds every byte.
package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/sample"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// customer is the account that the demonstration uploads to.
const customer = "demo"

// concurrency is the number of devices whose uploads are under way at once.
const concurrency = 8

// Config says how much there is to demonstrate.
type Config struct {
	Devices int // at least 1
	Logs    int // of each device, at least 1
	Frames  int // of each log

	// Uploaded is called after each confirmed upload, from any goroutine.
	// Default: none.
	Uploaded func()
}

// Uploads returns the number of uploads that Run makes: the logs and a crash
// dump.
func (c Config) Uploads() int { return c.Devices*c.Logs + 1 }

// Result is what happened.
type Result struct {
	Broker    string                // host:port
	Devices   []mqttv5.DeviceInfo   // as registered
	Received  []localcloud.Received // what the far side holds, in order of arrival
	Bytes     int                   // uploaded
	Confirmed int                   // uploads whose bytes the far side holds
	Uploads   int
	Elapsed   time.Duration // from the first registration to the last confirmation
}

// upload is one message and what the far side must hold of it.
type upload struct {
	what string
	sum  [sha256.Size]byte
	size int
}

// Run runs the demonstration. Its error says what did not arrive, and Result
// then what did.
func Run(ctx context.Context, cfg Config) (result Result, err error) {
	cloud, err := localcloud.Start(ctx, localcloud.Config{CustomerID: customer})
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, cloud.Close()) }()
	client, err := mqttv5.New(mqttv5.Config{
		Broker: cloud.Host(), Port: cloud.Port(), CertFile: cloud.CertFile(), KeyFile: cloud.KeyFile(), CAFile: cloud.CAFile(),
		CustomerID: customer,
		// Nobody shares this cloud, so nobody suffers from haste.
		Tuning: mqttv5.Tuning{PublishesPerSecond: -1, BytesPerSecond: -1},
	})
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	result = Result{Broker: cloud.Addr(), Uploads: cfg.Uploads()}
	uploads := make([][]upload, cfg.Devices)
	result.Devices = make([]mqttv5.DeviceInfo, cfg.Devices)
	begin := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range cfg.Devices {
		result.Devices[i] = deviceInfo(i)
		group.Go(func() (err error) {
			uploads[i], err = runDevice(groupCtx, client, cfg, result.Devices[i], i)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return result, err
	}
	result.Received, err = cloud.WaitReceived(ctx, result.Uploads)
	if err != nil {
		return result, err
	}
	result.Elapsed = time.Since(begin)
	return result, result.compare(uploads)
}

// deviceInfo returns the i-th device.
func deviceInfo(i int) mqttv5.DeviceInfo {
	return mqttv5.DeviceInfo{
		ApplicationID: 7,
		DeviceSerial:  fmt.Sprintf("DEMO-%04d", i+1),
		DeviceType:    "weather-station",
		GitVersion:    "v1.4.0",
		GitHash:       "3f2c9a1be07d5546a8f0c2d1947be6a05d83c1f7",
	}
}

// runDevice registers one device and uploads its logs; the first device has
// crashed as well. Devices with an odd index run the older agent.
func runDevice(ctx context.Context, client *mqttv5.Client, cfg Config, info mqttv5.DeviceInfo, i int) ([]upload, error) {
	device, err := sample.NewDevice([...]uint8{3, 1}[i%2], uint64(i))
	if err != nil {
		return nil, err
	}
	token, err := client.GetSessionToken(ctx, info)
	if err != nil {
		return nil, err
	}
	var uploads []upload
	done := func(what string, payload []byte) {
		uploads = append(uploads, upload{what: what, sum: sha256.Sum256(payload), size: len(payload)})
		if cfg.Uploaded != nil {
			cfg.Uploaded()
		}
	}
	for n := range cfg.Logs {
		log, err := device.Log(cfg.Frames, format.LevelDebug)
		if err != nil {
			return nil, err
		}
		if _, err := client.UploadLog(ctx, info, log); err != nil {
			return nil, err
		}
		// What must arrive is what the device reported, with the token.
		l, _, err := format.ParseLog(log)
		if err != nil {
			return nil, err
		}
		l.SetSessionToken(token)
		done(fmt.Sprintf("log %d of %s", n+1, info.DeviceSerial), log)
	}
	if i > 0 {
		return uploads, nil
	}
	dump, err := device.CoreDump(format.DeviceInfo{
		ApplicationID: info.ApplicationID, DeviceSerial: []byte(info.DeviceSerial), DeviceType: []byte(info.DeviceType),
		GitVersion: []byte(info.GitVersion), GitHash: []byte(info.GitHash),
	})
	if err != nil {
		return nil, err
	}
	if _, err := client.PublishCoreDump(ctx, dump); err != nil {
		return nil, err
	}
	done("the crash dump of "+info.DeviceSerial, dump)
	return uploads, nil
}

// compare counts the uploads whose bytes the far side holds. Its error names
// the first that it does not hold.
func (r *Result) compare(uploads [][]upload) error {
	held := map[[sha256.Size]byte]int{}
	for _, got := range r.Received {
		if got.Err == nil {
			held[got.SHA256]++
		}
	}
	var missing string
	for _, device := range uploads {
		for _, u := range device {
			r.Bytes += u.size
			if held[u.sum] == 0 {
				if missing == "" {
					missing = u.what
				}
				continue
			}
			held[u.sum]--
			r.Confirmed++
		}
	}
	if missing != "" {
		return fmt.Errorf("%d of %d uploads did not arrive as they were sent, the first is %s", r.Uploads-r.Confirmed, r.Uploads, missing)
	}
	return nil
}
