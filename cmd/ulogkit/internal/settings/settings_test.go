package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/ulogkit/ulogkit/mqttv5"
)

// load gives the settings that a command line, an environment and a
// configuration file make.
func load(t *testing.T, args []string, env map[string]string, file string) (*Settings, *pflag.FlagSet, error) {
	t.Helper()
	home := t.TempDir()
	if file != "" {
		dir := filepath.Join(home, ".config", "ulogkit")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	s := new(Settings)
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s.AddConnectionFlags(flags)
	s.AddDeviceFlags(flags)
	s.AddAPIFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}

	err := s.Load(flags, func(name string) string {
		if name == "HOME" {
			return home
		}
		return strings.ReplaceAll(env[name], "HOME", home)
	}, func(err error) { t.Errorf("notice %v", err) })

	return s, flags, err
}

func TestFlagBeforeEnvironmentBeforeFile(t *testing.T) {
	file := "# my gateway\n\n customer=file \ngroup = file\n  application = 0x10\nstore=s\n"
	env := map[string]string{"ULOGKIT_GROUP": "env", "ULOGKIT_CUSTOMER": "env", "ULOGKIT_SERIAL": ""}
	s, _, err := load(t, []string{"--customer", "flag"}, env, file)
	if err != nil {
		t.Fatal(err)
	}
	if s.customer != "flag" || s.group != "env" || s.device.ApplicationID != 16 {
		t.Errorf("got customer %q, group %q, application %d; want flag, env, 16", s.customer, s.group, s.device.ApplicationID)
	}
}

// Each flag about the connection and the device can be set in all three ways.
func TestEverySettingCanBeSet(t *testing.T) {
	values := map[string]string{"application": "7", "insecure-plaintext": "true", "broker": "localhost:1", "timeout": "7s", "mqtt": "5", "keep-alive": "7s", "rate": "7", "bytes-rate": "7"}
	for name, isFile := range settable {
		value := values[name]
		if value == "" {
			value = "/v"
		}
		variable := "ULOGKIT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		_, fromEnv, err := load(t, nil, map[string]string{variable: value}, "")
		if err != nil {
			t.Fatal(err)
		}
		_, fromFile, err := load(t, nil, nil, name+" = "+value)
		if err != nil {
			t.Fatal(err)
		}
		for _, flags := range []*pflag.FlagSet{fromEnv, fromFile} {
			if got := flags.Lookup(name); got == nil || got.Value.String() != value || !got.Changed {
				t.Errorf("%s (a file name: %v): got flag %+v, want it changed to %q", name, isFile, got, value)
			}
		}
	}

	s := new(Settings)
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s.AddConnectionFlags(flags)
	s.AddDeviceFlags(flags)
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := settable[f.Name]; !ok && f.Name != "config" {
			t.Errorf("got no setting for --%s, want it in the environment and the file", f.Name)
		}
	})

	for _, name := range []string{"--config", "ULOGKIT_CONFIG", "~/.config/ulogkit/config"} {
		if !strings.Contains(Help, name) {
			t.Errorf("got no %s in the help, want it named as the configuration file", name)
		}
	}
}

func TestConnectionIsTunedByFlags(t *testing.T) {
	args := []string{"--customer", "1", "--insecure-plaintext", "--client-id", "me", "--keep-alive", "5s", "--proxy", "socks5://p:1", "--rate", "0", "--bytes-rate", "1e3"}
	s, _, err := load(t, args, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}

	got := cfg.Tuning
	if got.ClientID != "me" || got.KeepAlive != 5*time.Second || got.Proxy != "socks5://p:1" || got.PublishesPerSecond != -1 || got.BytesPerSecond != 1000 {
		t.Errorf("got %+v, want ClientID me, KeepAlive 5s, Proxy socks5://p:1, PublishesPerSecond -1, BytesPerSecond 1000", got)
	}
	s, _, err = load(t, []string{"--customer", "1", "--insecure-plaintext"}, nil, "")
	if err != nil {
		t.Fatal(err)
	}

	if cfg, err = s.Client(); err != nil || cfg.Tuning.PublishesPerSecond != 0 || cfg.Tuning.BytesPerSecond != 0 {
		t.Errorf("got rates %v and %v, error %v; want the broker's default", cfg.Tuning.PublishesPerSecond, cfg.Tuning.BytesPerSecond, err)
	}
	for _, bad := range []string{"-1", "NaN", "x", "", "1e99"} {
		if err := new(limit).Set(bad); err == nil {
			t.Errorf("%q: got no error, want one", bad)
		}
	}
}

// A flag of another command that is called --timeout too is no setting.
func TestTimeoutIsTheConnections(t *testing.T) {
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	other := flags.Duration("timeout", time.Hour, "")
	if err := new(Settings).Load(flags, func(name string) string { return map[string]string{"ULOGKIT_TIMEOUT": "1s"}[name] }, nil); err != nil {
		t.Fatal(err)
	}
	if *other != time.Hour {
		t.Errorf("it became %v, want %v", *other, time.Hour)
	}
	s, _, err := load(t, nil, map[string]string{"ULOGKIT_TIMEOUT": "3s"}, "timeout = 4s\n")
	if err != nil || s.timeout != 3*time.Second {
		t.Errorf("got timeout %v of the connection, error %v; want 3s", s.timeout, err)
	}
}

func TestFileNamesAreRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "site")
	if err := os.WriteFile(name, []byte("cert = a.crt\nkey = /k.pem\nca = ~/ca.pem\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, env := range []map[string]string{nil, {"ULOGKIT_CONFIG": name}} {
		args := []string{"--config", name}
		if env != nil {
			args = nil
		}
		s, _, err := load(t, args, env, "cert = not this one\n")
		if err != nil {
			t.Fatal(err)
		}
		if s.cert != filepath.Join(dir, "a.crt") || s.key != "/k.pem" || !strings.HasSuffix(s.ca, "/ca.pem") || strings.Contains(s.ca, "~") {
			t.Errorf("got cert %q, key %q, ca %q; want %q, /k.pem, and a ca without ~ that ends in /ca.pem", s.cert, s.key, s.ca, filepath.Join(dir, "a.crt"))
		}
	}
}

func TestConfigIsFoundInXDGConfigHome(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "ulogkit"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ulogkit", "config"), []byte("customer = xdg"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, err := load(t, nil, map[string]string{"XDG_CONFIG_HOME": dir}, "customer = home")
	if err != nil || s.customer != "xdg" {
		t.Errorf("customer %q, error %v, want \"xdg\"", s.customer, err)
	}
}

func TestBadSettingsSayWhereTheyStand(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  map[string]string
		file string
		want string // in the error
	}{
		{file: "customer = 1\nbrocker = x\n", want: "config:2: there is no setting \"brocker\""},
		{file: "customer = 1\ncustomer = 2\n", want: "config:2: customer is set a second time"},
		{file: "customer\n", want: "config:1: not of the form \"name = value\""},
		{file: "config = x\n", want: "config:1: there is no setting \"config\""},
		{file: "application = many\n", want: "config: --application \"many\" is not a whole number from 0 on"},
		{env: map[string]string{"ULOGKIT_APPLICATION": "-1"}, want: "environment variable ULOGKIT_APPLICATION: --application \"-1\" is not a whole number from 0 on"},
		{env: map[string]string{"ULOGKIT_INSECURE_PLAINTEXT": "perhaps"}, want: "environment variable ULOGKIT_INSECURE_PLAINTEXT: --insecure-plaintext \"perhaps\" is not true or false"},
		{file: "application = 5000000000\n", want: "--application \"5000000000\" is not a whole number from 0 on, or too large"},
		{file: "timeout = 7\n", want: "--timeout \"7\" is not a time such as 15s or 2m"},
		{env: map[string]string{"ULOGKIT_CONFIG": "HOME/absent"}, want: "no such file"},
		{args: []string{"--config", "/nowhere/at/all"}, want: "/nowhere/at/all"},
	} {
		if _, _, err := load(t, c.args, c.env, c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want an error that says %q", c, err, c.want)
		}
	}
}

func TestConnectionSettingsAreChecked(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // in the error, or empty
		host string
		port int
	}{
		{args: []string{"--insecure-plaintext", "--broker", "[::1]:1883"}, host: "::1", port: 1883},
		{args: []string{"--cert", "c", "--key", "k"}, host: mqttv5.DefaultBroker, port: mqttv5.DefaultPort},
		{args: []string{"--cert", "c", "--key", "k", "--broker", "example.com"}, host: "example.com"},
		{args: []string{"--cert", "c", "--key", "k", "--broker", "example.com:x"}, want: "port is not a number"},
		{args: []string{"--cert", "c", "--key", "k", "--broker", "example.com:0"}, want: "port is not a number"},
		{args: []string{"--cert", "c", "--key", "k", "--broker", "example.com:65536"}, want: "port is not a number"},
		{args: []string{"--cert", "c"}, want: "--cert and --key"},
		{args: []string{"--customer", "", "--insecure-plaintext"}, want: "--customer is missing"},
		{args: []string{"--timeout", "0s", "--insecure-plaintext"}, want: "--timeout 0s"},
	} {
		s, _, err := load(t, append([]string{"--customer", "1"}, c.args...), nil, "")
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := s.Client()
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: error %v, want an error that says %q", c.args, err, c.want)
			}
			continue
		}
		if err != nil || cfg.Broker != c.host || cfg.Port != c.port || cfg.TokenTimeout != 15*time.Second {
			t.Errorf("%v: got %+v, error %v; want Broker %v, Port %v and TokenTimeout %v", c.args, cfg, err, c.host, c.port, 15*time.Second)
		}
	}
}

func TestFlagsCompleteTheDeviceFile(t *testing.T) {
	info := filepath.Join(t.TempDir(), "info.bin")
	if err := os.WriteFile(info, []byte("\x07\x00\x00\x00SN-1\x00lamp\x00v1\x00abc\x00"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		args []string
		want mqttv5.DeviceInfo
		fail string
	}{
		{
			args: []string{"--device", info},
			want: mqttv5.DeviceInfo{ApplicationID: 7, DeviceSerial: "SN-1", DeviceType: "lamp", GitVersion: "v1", GitHash: "abc"},
		},
		{
			args: []string{"--device", info, "--application", "0", "--git-hash", "def"},
			want: mqttv5.DeviceInfo{ApplicationID: 0, DeviceSerial: "SN-1", DeviceType: "lamp", GitVersion: "v1", GitHash: "def"},
		},
		{
			args: []string{"--application", "1", "--serial", "S", "--git-hash", "1"},
			want: mqttv5.DeviceInfo{ApplicationID: 1, DeviceSerial: "S", GitHash: "1"},
		},
		{args: []string{"--application", "1", "--git-hash", "1"}, fail: "--serial is missing"},
		{args: []string{"--serial", "S", "--git-hash", "1"}, fail: "--application is missing"},
		{args: []string{"--application", "1", "--serial", "S"}, fail: "--git-hash is missing"},
		{args: []string{"--application", "1", "--serial", "#", "--git-hash", "1"}, fail: "'#'"},
		{args: []string{"--device", info + ".absent"}, fail: "no such file"},
		{args: []string{"--device", "/dev/null"}, fail: "--device /dev/null"},
	} {
		s, flags, err := load(t, c.args, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Device(flags)
		if c.fail != "" {
			if err == nil || !strings.Contains(err.Error(), c.fail) {
				t.Errorf("%v: error %v, want an error that says %q", c.args, err, c.fail)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%v: %+v, error %v, want %+v", c.args, got, err, c.want)
		}
	}
}
