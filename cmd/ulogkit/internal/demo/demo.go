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
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// customer is the account that the demonstration uploads to.
const customer = "demo"

// concurrency is the number of devices whose uploads are under way at once.
const concurrency = 8

// ErrLost is the class of the error for uploads that the far side does not hold
// as they were sent.
var ErrLost = errors.New("did not arrive as they were sent")

// Config says how much there is to demonstrate.
type Config struct {
	Devices int // at least 1
	Logs    int // of each device, at least 1
	Frames  int // of each log

	// Ingest has two ingest workers store what is uploaded. Default: false.
	Ingest bool

	// Uploaded is called after each confirmed upload, from any goroutine.
	// Default: none.
	Uploaded func()
}

// MaxUploads bounds a demonstration: the stand-in cloud remembers them all.
const MaxUploads = 100_000

// Check returns what is wrong with the numbers.
func (c Config) Check() error {
	if c.Devices < 1 || c.Logs < 1 || c.Frames < 0 {
		return fmt.Errorf("%d devices with %d logs of %d frames: at least 1 device and 1 log are needed", c.Devices, c.Logs, c.Frames)
	}
	if c.Devices > MaxUploads || c.Logs > MaxUploads || c.Uploads() > MaxUploads {
		return fmt.Errorf("%d devices with %d logs are more than %d uploads", c.Devices, c.Logs, MaxUploads)
	}
	return nil
}

// Uploads returns the number of uploads that Run makes: the logs and a crash
// dump.
func (c Config) Uploads() int { return c.Devices*c.Logs + 1 }

// Result is what happened.
type Result struct {
	Broker    string // host:port
	Devices   []Device
	Received  []localcloud.Received // what the far side holds, in order of arrival
	Stored    []ingest.Record       // what the ingest workers stored, in order
	Bytes     int                   // uploaded
	Confirmed int                   // uploads whose bytes the far side holds
	Uploads   int
	Elapsed   time.Duration // from the first registration to the last confirmation
}

// Device is a simulated device after its registration.
type Device struct {
	mqttv5.DeviceInfo
	Version uint8  // of its agent's log headers
	Token   uint32 // that the cloud gave it
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
	if err := cfg.Check(); err != nil {
		return Result{}, err
	}

	// The cloud lives until Run returns, so that an interrupted client fails
	// by its own doing and says so.
	cloud, err := localcloud.Start(context.WithoutCancel(ctx), localcloud.Config{CustomerID: customer})
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, cloud.Close()) }()

	connection := mqttv5.Config{
		Broker: cloud.Host(), Port: cloud.Port(), CertFile: cloud.CertFile(), KeyFile: cloud.KeyFile(), CAFile: cloud.CAFile(),
		CustomerID: customer,
		// Nobody shares this cloud, so nobody suffers from haste.
		Tuning: mqttv5.Tuning{PublishesPerSecond: -1, BytesPerSecond: -1},
	}
	client, err := mqttv5.New(connection)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	var w *workers
	if cfg.Ingest {
		if w, err = startWorkers(ctx, connection); err != nil {
			return Result{}, err
		}
		defer func() { err = errors.Join(err, w.close()) }()
	}

	result = Result{Broker: cloud.Addr(), Uploads: cfg.Uploads()}
	uploads := make([][]upload, cfg.Devices)
	result.Devices = make([]Device, cfg.Devices)
	begin := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range cfg.Devices {
		group.Go(func() (err error) {
			result.Devices[i], uploads[i], err = runDevice(groupCtx, client, cfg, i)
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
	if w != nil {
		if result.Stored, err = w.stored(ctx, result.Uploads); err != nil {
			return result, err
		}
		if err := result.compareStored(uploads); err != nil {
			return result, err
		}
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
func runDevice(ctx context.Context, client *mqttv5.Client, cfg Config, i int) (registered Device, _ []upload, err error) {
	info := deviceInfo(i)
	registered = Device{DeviceInfo: info, Version: [...]uint8{3, 1}[i%2]}
	device, err := sample.NewDevice(registered.Version, uint64(i))
	if err != nil {
		return registered, nil, err
	}
	if registered.Token, err = client.GetSessionToken(ctx, info); err != nil {
		return registered, nil, err
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
			return registered, nil, err
		}
		if _, err := client.UploadLog(ctx, info, log); err != nil {
			return registered, nil, err
		}

		// What must arrive is what the device reported, with the token.
		l, _, err := format.ParseLog(log)
		if err != nil {
			return registered, nil, err
		}
		l.SetSessionToken(registered.Token)
		done(fmt.Sprintf("log %d of %s", n+1, info.DeviceSerial), log)
	}

	if i > 0 {
		return registered, uploads, nil
	}
	dump, err := device.CoreDump(format.DeviceInfo{
		ApplicationID: info.ApplicationID, DeviceSerial: []byte(info.DeviceSerial), DeviceType: []byte(info.DeviceType),
		GitVersion: []byte(info.GitVersion), GitHash: []byte(info.GitHash),
	})
	if err != nil {
		return registered, nil, err
	}
	if _, err := client.PublishCoreDump(ctx, dump); err != nil {
		return registered, nil, err
	}

	done("the crash dump of "+info.DeviceSerial, dump)
	return registered, uploads, nil
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
		return fmt.Errorf("%d of %d uploads %w, the first is %s", r.Uploads-r.Confirmed, r.Uploads, ErrLost, missing)
	}
	return nil
}
