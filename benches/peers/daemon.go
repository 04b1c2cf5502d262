// A license daemon as one writes it in Go, with the standard library alone: daemon CONFIG
//
// It reads its configuration and the license, verifies it, says that it is ready, fetches a license, verifies and
// installs that one, and sleeps until the next is due. SIGHUP reads configuration and license again.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type config struct {
	License     string `json:"license"`
	Key         string `json:"key"`
	DUID        string `json:"duid"`
	URL         string `json:"url"`
	CAFile      string `json:"ca_file"`
	RenewBefore int64  `json:"renew_before"`
}

type license struct {
	Signature string  `json:"signature"`
	DUID      *string `json:"duid"`
	ExpireAt  struct {
		Unix int64 `json:"unix"`
	} `json:"expire_at"`
}

type daemon struct {
	path    string
	config  config
	key     ed25519.PublicKey
	client  *http.Client
	license license
}

func (d *daemon) load() error {
	text, err := os.ReadFile(d.path)
	if err != nil {
		return err
	}
	var fresh config
	if err := json.Unmarshal(text, &fresh); err != nil {
		return err
	}
	d.config = fresh
	if d.key, err = readKey(d.config.Key); err != nil {
		return err
	}
	roots, err := os.ReadFile(d.config.CAFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		return errors.New("no certificate in " + d.config.CAFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	d.client = &http.Client{Timeout: 30 * time.Second, Transport: transport}
	installed, err := os.ReadFile(d.config.License)
	if err != nil {
		return err
	}
	return d.accept(installed)
}

func readKey(path string) (ed25519.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM in " + path)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("no Ed25519 key in " + path)
	}
	return key, nil
}

// accept verifies a license and keeps what it says, if it is genuine and this device's.
func (d *daemon) accept(data []byte) error {
	var found license
	if err := json.Unmarshal(data, &found); err != nil {
		return err
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(found.Signature)
	if err != nil {
		return err
	}
	signed, err := signedBytes(data)
	if err != nil {
		return err
	}
	if !ed25519.Verify(d.key, signed, signature) {
		return errors.New("the signature does not hold")
	}
	if found.DUID != nil && *found.DUID != d.config.DUID {
		return errors.New("the license is for another device")
	}
	d.license = found
	return nil
}

// signedBytes is canonical enough for names in ASCII and numbers without fractions (RFC 8785): maps are written in order.
func signedBytes(data []byte) ([]byte, error) {
	reader := json.NewDecoder(bytes.NewReader(data))
	reader.UseNumber()
	var members map[string]any
	if err := reader.Decode(&members); err != nil {
		return nil, err
	}
	delete(members, "signature")
	var text bytes.Buffer
	writer := json.NewEncoder(&text)
	writer.SetEscapeHTML(false)
	if err := writer.Encode(members); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

func (d *daemon) renew() error {
	answer, err := d.client.Get(d.config.URL)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", d.config.URL, answer.Status)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, 64*1024))
	if err != nil {
		return err
	}
	if err := d.accept(data); err != nil {
		return err
	}
	if err := install(d.config.License, data); err != nil {
		return err
	}
	return notify("STATUS=renewed")
}

func install(path string, data []byte) error {
	temporary := path + ".new"
	file, err := os.Create(temporary)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// notify is sd_notify(3).
func notify(text string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	manager, err := net.Dial("unixgram", path)
	if err != nil {
		return err
	}
	defer manager.Close()
	_, err = manager.Write([]byte(text))
	return err
}

func (d *daemon) run() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM)
	if err := notify("READY=1"); err != nil {
		return err
	}
	if err := d.renew(); err != nil {
		return err
	}
	for {
		wait := time.Until(time.Unix(d.license.ExpireAt.Unix-d.config.RenewBefore, 0))
		if wait < time.Minute {
			wait = time.Minute
		}
		timer := time.NewTimer(wait)
		select {
		case caught := <-signals:
			timer.Stop()
			if caught == syscall.SIGTERM {
				return nil
			}
			if err := d.load(); err != nil {
				log.Print(err)
			}
		case <-timer.C:
			if err := d.renew(); err != nil {
				log.Print(err)
			}
		}
	}
}

func main() {
	d := &daemon{path: os.Args[1]}
	if err := d.load(); err != nil {
		log.Fatal(err)
	}
	if err := d.run(); err != nil {
		log.Fatal(err)
	}
}
