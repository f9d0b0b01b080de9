// Package settings gathers what a command needs to reach the cloud, from flags,
// from environment variables ULOGKIT_X and from a configuration file, the first
// that names a setting winning.
//
// The configuration file has one "name = value" a line, with the names of the
// flags; # after a blank or at the beginning of a line begins a comment. A value in
// quotes, " or ', is what stands between them. A relative file name in it is relative
// to the file's own folder, and ~/ is the home folder:
//
//	# ~/.config/ulogkit/config
//	customer = 42
//	cert     = gateway.crt
//	key      = gateway.key
//	store    = ~/.local/state/ulogkit/session_tokens.json
package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// Settings is where the cloud is, who is calling and which device the data
// comes from.
type Settings struct {
	config string        // name of the configuration file, whether it is there or not
	roots  []files.Input // certificates that the environment names
	wait   *pflag.Flag   // --timeout of the connection; other commands have others

	// AllowNoSubscriber is mqttv5.Config's. The command sets it before Client.
	AllowNoSubscriber bool

	broker    string
	cert      string
	key       string
	ca        string
	customer  string
	group     string
	prefix    string
	apiToken  string
	apiURL    string
	store     string
	plaintext bool
	timeout   time.Duration

	clientID  string
	protocol  protocol
	keepAlive time.Duration
	proxy     string
	rate      limit
	byteRate  limit

	deviceFile string
	device     mqttv5.DeviceInfo
}

// settable names the flags that the environment and the configuration file can
// set. The value says whether it is a file name.
var settable = map[string]bool{
	"broker": false, "cert": true, "key": true, "ca": true, "customer": false, "group": false, "prefix": false,
	"api-token": false, "api-url": false,
	"application": false, "serial": false, "device-type": false, "git-version": false, "git-hash": false,
	"store": true, "insecure-plaintext": false, "timeout": false, "device": true,
	"client-id": false, "mqtt": false, "keep-alive": false, "proxy": false, "rate": false, "bytes-rate": false,
}

// AddConnectionFlags adds the flags that say where the cloud is.
func (s *Settings) AddConnectionFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.config, "config", "", "configuration file (default ~/.config/ulogkit/config, if there is one)")
	flags.StringVar(&s.broker, "broker", net.JoinHostPort(mqttv5.DefaultBroker, strconv.Itoa(mqttv5.DefaultPort)), "`host:port` of the MQTT broker")
	flags.StringVar(&s.cert, "cert", "", "`file` with the client certificate, PEM")
	flags.StringVar(&s.key, "key", "", "`file` with the client's private key, PEM")
	flags.StringVar(&s.ca, "ca", "", "`file` with the certificates that the broker's leads to, PEM (default: the system's)")
	flags.StringVar(&s.customer, "customer", "", "customer `id`, the account")
	flags.StringVar(&s.group, "group", "", "group `id`, for accounts that have groups")
	flags.StringVar(&s.prefix, "prefix", "", "what stands before every `topic`, such as ulogger/, where a local broker bridges these to the cloud")
	flags.BoolVar(&s.plaintext, "insecure-plaintext", false, "no TLS; loopback only")
	flags.DurationVar(&s.timeout, "timeout", mqttv5.DefaultTokenTimeout, "the longest wait for a connection, for a token and for an acknowledgement")
	s.wait = flags.Lookup("timeout")
	flags.StringVar(&s.clientID, "client-id", "", "MQTT client `identifier`, of this program alone (default: made for it)")
	s.protocol = "5"
	flags.Var(&s.protocol, "mqtt", "`version` of MQTT: 5, no other")
	flags.DurationVar(&s.keepAlive, "keep-alive", time.Minute, "the longest silence before a ping")
	flags.StringVar(&s.proxy, "proxy", "", "`address` of a proxy, http://HOST:PORT or socks5://HOST:PORT, or none (default: HTTPS_PROXY or ALL_PROXY, unless NO_PROXY)")
	const usage = " a second at most, 0 is no limit (default: the limits of AWS IoT Core for mqtt.ulogger.ai and *.amazonaws.com, no limit for others)"
	flags.Var(&s.rate, "rate", "`messages`"+usage)
	flags.Var(&s.byteRate, "bytes-rate", "`bytes`"+usage)
}

// AddDeviceFlags adds the flags that say which device the data comes from.
func (s *Settings) AddDeviceFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.store, "store", "", "`file` that keeps session tokens, or none; one of the vendor's library stays in its own format (default ulogkit/session_tokens.json in $XDG_STATE_HOME or ~/.local/state)")
	flags.StringVar(&s.deviceFile, "device", "", "`file` with the device info that the device sends over BLE; the flags below override it")
	flags.Uint32Var(&s.device.ApplicationID, "application", 0, "application `id` of the firmware")
	flags.StringVar(&s.device.DeviceSerial, "serial", "", "`serial` number of the device")
	flags.StringVar(&s.device.DeviceType, "device-type", "", "`type` of the device")
	flags.StringVar(&s.device.GitVersion, "git-version", "", "`version` of the firmware")
	flags.StringVar(&s.device.GitHash, "git-hash", "", "git `commit` of the firmware; a session token is valid for it alone")
}

// Load gives the flags that the command line left alone the values of the
// environment, else of the configuration file. It fails on a value that does
// not fit its flag and on a line that it does not understand. A file that nobody
// named and that cannot be read is left out, and notice is told.
func (s *Settings) Load(flags *pflag.FlagSet, getenv func(string) string, notice func(error)) error {
	file := map[string]string{}
	name, required := s.config, true
	if name == "" {
		name = getenv("ULOGKIT_CONFIG")
	}
	if name == "" {
		name, required = defaultFile(getenv), false
	}

	s.config, s.roots = name, systemRoots(getenv)
	if name != "" {
		var err error
		file, err = readFile(name, getenv("HOME"))
		unreadable := (*fs.PathError)(nil)
		switch {
		case err == nil:
		case !required && errors.Is(err, fs.ErrNotExist):
		case !required && errors.As(err, &unreadable):
			notice(fmt.Errorf("%w; it is left out", err))
		default:
			return err
		}
	}

	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := settable[f.Name]; !ok || f.Changed || err != nil || f.Name == "timeout" && f != s.wait {
			return
		}

		variable := variable(f.Name)
		if value := getenv(variable); value != "" {
			if quoted(value) {
				err = fmt.Errorf("environment variable %s: %s has quotes that are part of it; leave them out", variable, value)
				return
			}
			if e := flags.Set(f.Name, value); e != nil {
				err = fmt.Errorf("environment variable %s: %w", variable, Explain(e))
			}
		} else if value, ok := file[f.Name]; ok {
			if e := flags.Set(f.Name, value); e != nil {
				err = fmt.Errorf("%s: %w", name, Explain(e))
			}
		}
	})
	return err
}

func defaultFile(getenv func(string) string) string {
	dir := getenv("XDG_CONFIG_HOME")
	if dir == "" && getenv("HOME") != "" {
		dir = filepath.Join(getenv("HOME"), ".config")
	}
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "ulogkit", "config")
}

// Client returns the configuration of a client that keeps no tokens.
func (s *Settings) Client() (mqttv5.Config, error) {
	if s.timeout <= 0 {
		return mqttv5.Config{}, fmt.Errorf("--timeout %v is not longer than 0", s.timeout)
	}
	if s.customer == "" {
		return mqttv5.Config{}, errors.New("--customer is missing; it is the number of your uLogger account")
	}
	if !s.plaintext && (s.cert == "" || s.key == "") {
		return mqttv5.Config{}, errors.New("--cert and --key are missing; they name the client certificate and private key that the cloud gave you")
	}

	cfg := mqttv5.Config{
		Broker: s.broker, CertFile: s.cert, KeyFile: s.key, CAFile: s.ca, CustomerID: s.customer, GroupID: s.group, TopicPrefix: s.prefix,
		InsecurePlaintext: s.plaintext, AllowNoSubscriber: s.AllowNoSubscriber, TokenTimeout: s.timeout,
		Tuning: mqttv5.Tuning{
			AckTimeout: s.timeout, ClientID: s.clientID, KeepAlive: s.keepAlive, Proxy: s.proxy,
			PublishesPerSecond: float64(s.rate), BytesPerSecond: float64(s.byteRate),
		},
	}
	if host, port, err := net.SplitHostPort(s.broker); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return mqttv5.Config{}, fmt.Errorf("--broker %q: the port is not a number from 1 to 65535", s.broker)
		}
		cfg.Broker, cfg.Port = host, int(n)
	}
	return cfg, nil
}

// AddAPIFlags adds the flags of those commands that may go over HTTP.
func (s *Settings) AddAPIFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.apiToken, "api-token", "", "API `token` of the account, for HTTP where there is no certificate; others can see it on a command line, so better in ULOGKIT_API_TOKEN or the configuration file")
	flags.StringVar(&s.apiURL, "api-url", telemetry.DefaultBaseURL, "address of the HTTP API, https")
}

// API returns the HTTP API, when there is a token for it and no certificate.
func (s *Settings) API() (api *telemetry.API, ok bool) {
	if s.apiToken == "" || s.cert != "" || s.key != "" || s.plaintext {
		return nil, false
	}
	return &telemetry.API{Token: s.apiToken, BaseURL: s.apiURL, GroupID: s.group}, true
}

// Reporter returns the device that reports metrics or events. Its firmware does not
// matter.
func (s *Settings) Reporter(flags *pflag.FlagSet) (mqttv5.DeviceInfo, error) {
	d, err := s.named(flags, "say which device reports", "application", "serial")
	if err != nil {
		return mqttv5.DeviceInfo{}, err
	}
	return d, d.Validate()
}

// Application returns the application of reports of many devices.
func (s *Settings) Application(flags *pflag.FlagSet) (uint32, error) {
	d, err := s.named(flags, "says which application the devices are of", "application")
	return d.ApplicationID, err
}

// NoStore as a file name keeps session tokens in memory.
const NoStore = "none"

// Store opens the file that keeps session tokens. Where none can be kept, since the
// home folder is not known or nothing can be written, they are kept in memory as long
// as the process lives, and the logger is told. So it is, too, when the file at the
// default place is another program's; one that was named is then refused.
func (s *Settings) Store(logger *slog.Logger) (mqttv5.SessionStore, error) {
	if s.store == NoStore {
		return mqttv5.NewMemoryStore(0), nil
	}
	store, err := mqttv5.OpenFileStore(mqttv5.FileStoreConfig{Path: s.store, Logger: logger})
	if err == nil {
		return store, nil
	}
	if errors.Is(err, mqttv5.ErrStorage) || s.store == "" && errors.Is(err, mqttv5.ErrConfig) {
		logger.Warn("session tokens are kept in memory, for this run alone", "reason", err)
		return mqttv5.NewMemoryStore(0), nil
	}
	return nil, err
}

// Device returns the device that the data comes from: what the file of --device
// says, unless a flag, variable or line of the configuration file says
// otherwise.
func (s *Settings) Device(flags *pflag.FlagSet) (mqttv5.DeviceInfo, error) {
	d, err := s.named(flags, "say which device and firmware the data comes from", "application", "serial", "git-hash")
	if err == nil {
		err = checkHash(flags, d.GitHash)
	}
	if err != nil {
		return mqttv5.DeviceInfo{}, err
	}
	return d, d.Validate()
}

// Firmware returns what is said about a firmware, by the same means.
func (s *Settings) Firmware(flags *pflag.FlagSet) (mqttv5.Firmware, error) {
	d, err := s.named(flags, "say which firmware it is", "application", "device-type", "git-hash")
	if err == nil {
		err = checkHash(flags, d.GitHash)
	}
	if err != nil {
		return mqttv5.Firmware{}, err
	}
	return mqttv5.Firmware{ApplicationID: d.ApplicationID, DeviceType: d.DeviceType, GitHash: d.GitHash, Version: d.GitVersion}, nil
}

// gitHash is what git calls a commit, perhaps with what a build says of it, such as
// -dirty.
var gitHash = regexp.MustCompile(`^[0-9A-Fa-f]+([-+.][0-9A-Za-z]*)*$`)

// checkHash refuses what a person gives as the commit and is none: a comment or a
// quote that became part of it would give each run another session token.
func checkHash(flags *pflag.FlagSet, hash string) error {
	if flags.Changed("git-hash") && hash != "" && !gitHash.MatchString(hash) {
		return fmt.Errorf("--git-hash %q is not hexadecimal", hash)
	}
	return nil
}

// named returns what the file of --device and the flags say. Without the file
// the required flags must be there; their purpose is for the error.
func (s *Settings) named(flags *pflag.FlagSet, purpose string, required ...string) (mqttv5.DeviceInfo, error) {
	d := s.device
	if s.deviceFile == "" {
		for _, name := range required {
			if !flags.Changed(name) {
				all := "--" + strings.Join(required, ", --")
				if i := strings.LastIndex(all, ", "); i >= 0 {
					all = all[:i] + " and" + all[i+1:]
				}
				return mqttv5.DeviceInfo{}, fmt.Errorf("--%s is missing; %s %s", name, all, purpose)
			}
		}
		return d, nil
	}

	b, err := os.ReadFile(s.deviceFile)
	if err != nil {
		return mqttv5.DeviceInfo{}, fmt.Errorf("--device: %w", err)
	}
	if d, err = mqttv5.ParseDeviceInfo(b); err != nil {
		return mqttv5.DeviceInfo{}, fmt.Errorf("--device %s: %w", s.deviceFile, err)
	}

	for name, set := range map[string]func(){
		"application": func() { d.ApplicationID = s.device.ApplicationID },
		"serial":      func() { d.DeviceSerial = s.device.DeviceSerial },
		"device-type": func() { d.DeviceType = s.device.DeviceType },
		"git-version": func() { d.GitVersion = s.device.GitVersion },
		"git-hash":    func() { d.GitHash = s.device.GitHash },
	} {
		if flags.Changed(name) {
			set()
		}
	}
	return d, nil
}

// Help is the part of a command's help about settings.
const Help = `

Each flag about the connection and the device can also be an environment
variable, --git-hash as ULOGKIT_GIT_HASH and so on, or a line of the
configuration file, which is the one of --config, else of ULOGKIT_CONFIG, else
~/.config/ulogkit/config, such as

  customer = 42
  cert     = gateway.crt

with file names relative to the file's folder, # before comments, and quotes around
what begins or ends with a blank or has a # in it. A flag wins over the environment,
and that over the file.`
