package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// installing is the environment variable that names the folder of a release, as in the
// tests of README.md: .ci/packages sets it.
const installing = "ULOGKIT_INSTALL"

// The bill of materials of each binary of a release is what the schema of CycloneDX says,
// and names what the binary is made of.
func TestBillOfMaterialsNamesEveryPart(t *testing.T) {
	schema := schemaOfBills(t)
	const good = `{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [{"type": "library", "name": "a", "licenses": [{"license": {"id": "MIT"}}]}]}`
	if err := validate(t, schema, good); err != nil {
		t.Errorf("the least: got error %v, want none", err)
	}
	for _, bad := range []string{
		strings.Replace(good, `"name"`, `"nam"`, 1), strings.Replace(good, "library", "libraries", 1), strings.Replace(good, "MIT", "mitt", 1), strings.Replace(good, "CycloneDX", "SPDX", 1),
	} {
		if validate(t, schema, bad) == nil {
			t.Errorf("%s: got no error, want one", bad)
		}
	}

	dir := os.Getenv(installing)
	if dir == "" {
		t.Skipf("%s names no release", installing)
	}
	bills, err := filepath.Glob(filepath.Join(dir, "*.cdx.json"))
	if err != nil || len(bills) == 0 {
		t.Fatalf("%s: got %d bills of materials, error %v, want at least one and no error", dir, len(bills), err)
	}
	for _, name := range bills {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schema, string(b)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var bill cdx.BOM
		if err := cdx.NewBOMDecoder(bytes.NewReader(b), cdx.BOMFileFormatJSON).Decode(&bill); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if bill.SpecVersion != cdx.SpecVersion1_6 || bill.Metadata == nil || bill.Metadata.Component == nil || bill.Components == nil {
			t.Fatalf("%s: got version %v, metadata %+v, components %v, want version %v, metadata with a component, and components",
				name, bill.SpecVersion, bill.Metadata, bill.Components != nil, cdx.SpecVersion1_6)
		}
		found := map[string]bool{bill.Metadata.Component.Name: true}
		for _, c := range *bill.Components {
			found[c.Name] = c.PackageURL != "" && c.Version != ""
		}
		for _, want := range []string{"github.com/ulogkit/ulogkit", "github.com/spf13/cobra", "go.etcd.io/bbolt"} {
			if !found[want] {
				t.Errorf("%s does not name %s with its version", name, want)
			}
		}
	}
}

// schemaOfBills returns the schema that the library which writes the bills has beside its
// code.
func schemaOfBills(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	for url, file := range map[string]string{
		"bom-1.6.schema.json":  "bom-1.6.schema.json",
		"spdx.schema.json":     "spdx.schema.json",
		"jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource("http://cyclonedx.org/schema/"+url, schema); err != nil {
			t.Fatal(err)
		}
	}

	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}

	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(document)
}
