package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/bench/internal/gate"
	"github.com/ulogkit/ulogkit/bench/internal/results"
)

//go:embed page.html page.css
var files embed.FS

// render returns the page, with all that it needs in it.
func (p *page) render() ([]byte, error) {
	css, err := files.ReadFile("page.css")
	if err != nil {
		return nil, err
	}
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"css":    func() template.CSS { return template.CSS(css) },
		"date":   func(t time.Time) string { return t.Format(time.DateOnly) },
		"clock":  func(t time.Time) string { return t.Format("2006-01-02 15:04 MST") },
		"ratio":  ratio,
		"spread": spread,
		"load":   loads,
		"id":     id,
		"title":  title,
		"mark":   mark,
		"chance": chance,
		"time":   func(s results.Summary) string { return quantity(s.Center, results.UnitTime) },
	}).ParseFS(files, "page.html")
	if err != nil {
		return nil, err
	}

	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Class is how the page shows the verdict.
func (p *page) Class(s gate.Status) string {
	switch s {
	case gate.Kept:
		return "better"
	case gate.Short:
		return "short"
	case gate.Absent:
		return "quiet"
	}
	return "worse"
}

// Held says in a sentence how the costs stand.
func (p *page) Held() string {
	var wrong []string
	kept := 0
	for _, v := range p.Costs {
		switch {
		case v.Status.Fails():
			wrong = append(wrong, v.Row.Name()+" "+v.Reason)
		case v.Reason == "":
			kept++
		}
	}
	text := fmt.Sprintf("%d rows allocate what is promised", kept)
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return text + ", but " + strings.Join(wrong, "; ") + "."
	}
	return text + "."
}
