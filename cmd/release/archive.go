package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"time"
)

// member is a file of an archive.
type member struct {
	name    string // below the folder of the archive, with slashes
	mode    fs.FileMode
	content []byte
}

// writeTar writes a gzipped tar file of a folder. Owners and times are the same
// wherever it is written.
func writeTar(path, folder string, members []member, modified time.Time) error {
	var b bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zipped)
	for _, m := range members {
		header := tar.Header{
			Typeflag: tar.TypeReg, Name: folder + "/" + m.name, Size: int64(len(m.content)), Mode: int64(m.mode),
			ModTime: modified, Format: tar.FormatUSTAR,
		}
		if err := archive.WriteHeader(&header); err != nil {
			return err
		}
		if _, err := archive.Write(m.content); err != nil {
			return err
		}
	}

	if err := archive.Close(); err != nil {
		return err
	}
	if err := zipped.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// writeZip writes the same as a zip file.
func writeZip(path, folder string, members []member, modified time.Time) error {
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for _, m := range members {
		header := zip.FileHeader{Name: folder + "/" + m.name, Method: zip.Deflate, Modified: modified}
		header.SetMode(m.mode)
		w, err := archive.CreateHeader(&header)
		if err != nil {
			return err
		}
		if _, err := w.Write(m.content); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// compressed returns a text as gzip -n writes it, which is how packages keep pages.
func compressed(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text) // into memory, which does not fail
	w.Close()
	return b.Bytes()
}
