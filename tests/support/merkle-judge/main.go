// Command merkle-judge verifies what `npm run audit -- proof ID --json` and `... verify --from DAY --to DAY --json` print,
// with code that no one here wrote: github.com/transparency-dev/merkle for proofs, golang.org/x/mod/sumdb/note for signed
// checkpoints. It reads one JSON object a line from stdin and prints "ok" or what is wrong, a line each.
//
// Exit codes: 0 all are right, 1 one is not.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

type claim struct {
	Leaf *struct {
		Index uint64 `json:"index"`
		Data  string `json:"data"`
		Hash  string `json:"hash"`
	} `json:"leaf"`
	Proof      [][]byte `json:"proof"`
	Checkpoint string   `json:"checkpoint"`
	From       string   `json:"from"`
	To         string   `json:"to"`
	Key        string   `json:"key"`
}

type tree struct {
	size uint64
	root []byte
}

func open(text, key string) (tree, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tree{}, fmt.Errorf("key: %w", err)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tree{}, fmt.Errorf("checkpoint: it is none of %s", verifier.Name())
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	return tree{size, root}, err
}

func judge(c claim) error {
	if c.Leaf == nil {
		first, err := open(c.From, c.Key)
		if err != nil {
			return err
		}
		second, err := open(c.To, c.Key)
		if err != nil {
			return err
		}
		return proof.VerifyConsistency(rfc6962.DefaultHasher, first.size, second.size, c.Proof, first.root, second.root)
	}
	whole, err := open(c.Checkpoint, c.Key)
	if err != nil {
		return err
	}
	leaf := rfc6962.DefaultHasher.HashLeaf([]byte(c.Leaf.Data))
	if hex.EncodeToString(leaf) != c.Leaf.Hash {
		return fmt.Errorf("the leaf's data has another hash")
	}
	return proof.VerifyInclusion(rfc6962.DefaultHasher, c.Leaf.Index, whole.size, leaf, c.Proof, whole.root)
}

func main() {
	code := 0
	lines := bufio.NewReader(os.Stdin)
	decoder := json.NewDecoder(lines)
	for decoder.More() {
		var c claim
		err := decoder.Decode(&c)
		if err == nil {
			err = judge(c)
		}
		if err == nil {
			fmt.Println("ok")
			continue
		}
		code = 1
		fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
		if _, syntax := err.(*json.SyntaxError); syntax {
			break
		}
	}
	os.Exit(code)
}
