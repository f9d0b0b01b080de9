package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

const (
	cloudConfigName = "ulogkit.conf"
	cloudTokensName = "tokens.json"
	cloudConfigHead = "# Written by \"ulogkit cloud\": what reaches it, and a device to try it with.\n"
)

// cloudFiles returns what the stand-in keeps in its folder, and what the configuration
// that it writes there names.
func cloudFiles(dir string) []files.Input {
	own := func(name string, folder bool) files.Input {
		return files.Input{Flag: "the stand-in's own", Name: filepath.Join(dir, name), Folder: folder}
	}
	return append(settings.TokenFiles(filepath.Join(dir, cloudTokensName)), own(cloudConfigName, false), own("certs", true), own("received", true))
}

// writeCloudConfig writes a configuration file with which every command reaches the
// cloud, into the cloud's folder, and returns its name. A file of that name that
// somebody else wrote stays as it is, and the name returned is "".
func writeCloudConfig(cloud *localcloud.Cloud, cfg localcloud.Config) (string, error) {
	name := filepath.Join(cfg.Dir, cloudConfigName)
	old, err := os.ReadFile(name)
	if err == nil && !bytes.HasPrefix(old, []byte(cloudConfigHead)) {
		return "", nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}

	var b bytes.Buffer
	b.WriteString(cloudConfigHead)
	set := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-11s = %s\n", key, value)
		}
	}
	set("broker", cloud.Addr())
	set("customer", cmp.Or(cfg.CustomerID, "42"))
	set("prefix", cfg.Prefix)
	if cfg.Plaintext {
		set("insecure-plaintext", "true")
	} else {
		// They stand below the cloud's folder, and so the folder can be moved.
		for _, file := range []struct{ key, name string }{{"ca", cloud.CAFile()}, {"cert", cloud.CertFile()}, {"key", cloud.KeyFile()}} {
			relative, err := filepath.Rel(cfg.Dir, file.name)
			if err != nil {
				return "", err
			}
			set(file.key, filepath.ToSlash(relative))
		}
	}

	set("store", cloudTokensName)
	set("application", "7")
	set("serial", "SN-1")
	set("device-type", "lamp")
	set("git-version", "v1.0.0")
	set("git-hash", "3f2c9a1")
	return name, durable.ReplaceFile(name, b.Bytes(), 0o600) // never through a link
}
