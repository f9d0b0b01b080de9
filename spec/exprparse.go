package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// The grammar, loosest binding first. It is Kaitai's, less what the subset
// leaves out (strings, floats, casts, methods, ~):
//
//	expr    = or [ "?" expr ":" expr ]
//	or      = and { "or" and }
//	and     = not { "and" not }
//	not     = "not" not | compare
//	compare = bitor [ ( "==" "!=" "<" "<=" ">" ">=" ) bitor ]
//	bitor   = bitxor { "|" bitxor }
//	bitxor  = bitand { "^" bitand }
//	bitand  = shift { "&" shift }
//	shift   = sum { ( "<<" ">>" ) sum }
//	sum     = product { ( "+" "-" ) product }
//	product = factor { ( "*" "/" "%" ) factor }
//	factor  = "-" factor | postfix
//	postfix = atom { "." name | "[" expr "]" }
//	atom    = number | "true" | "false" | name [ "::" name ] | "(" expr ")"

// maxNesting bounds the depth of an expression, so that parentheses cannot
// exhaust the stack of this parser or of whoever walks its result.
const maxNesting = 50

// syntaxError is a mistake at a rune offset into an expression.
type syntaxError struct {
	at     int
	reason string
}

// exprParser turns one expression into a tree; it stops at the first mistake.
type exprParser struct {
	src   []rune
	at    int    // offset of the next rune to read
	tok   string // the token under the cursor; empty at the end
	tokAt int
	depth int
	pos   func(at int) Pos
	err   *syntaxError
}

// parseExpr parses src as a whole; pos maps a rune offset to its place in the file.
func parseExpr(src string, pos func(at int) Pos) (Expr, *syntaxError) {
	p := &exprParser{src: []rune(src), pos: pos}
	p.next()
	e := p.expr()
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

// parseCall parses a type reference: a name, and in parentheses its arguments.
func parseCall(src string, pos func(at int) Pos) (name string, args []Expr, _ *syntaxError) {
	p := &exprParser{src: []rune(src), pos: pos}
	p.next()
	name = p.name("a type name")
	if p.accept("(") {
		for {
			args = append(args, p.expr())
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
	}
	p.end()
	return name, args, p.err
}

func (p *exprParser) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = &syntaxError{at, fmt.Sprintf(format, args...)}
	}
	p.tok, p.at = "", len(p.src) // run to the end without further ado
}

// next reads the next token.
func (p *exprParser) next() {
	for p.at < len(p.src) && (p.src[p.at] == ' ' || p.src[p.at] == '\n' || p.src[p.at] == '\t') {
		p.at++
	}

	p.tokAt, p.tok = p.at, ""
	if p.at == len(p.src) {
		return
	}
	c := p.src[p.at]
	end := p.at + 1
	switch {
	case isWord(c):
		for end < len(p.src) && isWord(p.src[end]) {
			end++
		}
	case end < len(p.src) && isPair(c, p.src[end]):
		end++
	case !strings.ContainsRune("+-*/%&|^<>?:()[].,", c):
		p.fail(p.at, "unexpected %s in an expression", quote(string(c)))
		return
	}
	p.tok, p.at = string(p.src[p.at:end]), end
}

func isWord(c rune) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isPair(c, d rune) bool {
	switch string([]rune{c, d}) {
	case "<<", ">>", "<=", ">=", "==", "!=", "::":
		return true
	}
	return false
}

func (p *exprParser) accept(tok string) bool {
	if p.tok != tok || p.tok == "" {
		return false
	}
	p.next()
	return true
}

func (p *exprParser) expect(tok string) {
	if !p.accept(tok) {
		p.unexpected(strconv.Quote(tok))
	}
}

func (p *exprParser) end() {
	if p.tok != "" {
		p.unexpected("the end of the expression")
	}
}

func (p *exprParser) unexpected(want string) {
	if p.tok == "" {
		p.fail(p.tokAt, "the expression ends where %s is expected", want)
		return
	}
	p.fail(p.tokAt, "%s where %s is expected", quote(p.tok), want)
}

func (p *exprParser) name(want string) string {
	tok := p.tok
	if !idForm.MatchString(tok) || keywords[tok] {
		p.unexpected(want)
		return ""
	}
	p.next()
	return tok
}

func (p *exprParser) base(at int) expr { return expr{pos: p.pos(at)} }

func (p *exprParser) expr() Expr {
	at := p.tokAt
	if p.depth++; p.depth > maxNesting {
		p.fail(at, "expression nested more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	e := p.binary(0)
	if !p.accept("?") {
		return e
	}
	then := p.expr()
	p.expect(":")
	return &Cond{p.base(at), e, then, p.expr()}
}

// levels are the binary operators, loosest first. notLevel is where "not"
// stands among them; the comparisons, just below, do not chain.
var levels = [...][]Op{
	{OpOr},
	{OpAnd},
	{OpEq, OpNe, OpLt, OpLe, OpGt, OpGe},
	{OpOr2},
	{OpXor},
	{OpAnd2},
	{OpShl, OpShr},
	{OpAdd, OpSub},
	{OpMul, OpDiv, OpMod},
}

const notLevel = 2

// binary reads operators of a level and of those that bind more strongly.
func (p *exprParser) binary(level int) Expr {
	if level == len(levels) {
		return p.factor()
	}

	at := p.tokAt
	if level == notLevel && p.tok == "not" {
		return p.prefix(OpNot, func() Expr { return p.binary(notLevel) })
	}

	x := p.binary(level + 1)
	for n := 0; ; n++ {
		op, ok := p.operator(levels[level])
		if !ok {
			return x
		}
		if level == notLevel && n == 1 {
			p.fail(p.tokAt, "comparisons do not chain; join two with \"and\"")
		}
		if n == maxNesting { // a left-deep tree is as deep as the chain is long
			p.fail(p.tokAt, "more than %d operations in a row", maxNesting)
		}
		p.next()
		x = &Binary{p.base(at), op, x, p.binary(level + 1)}
	}
}

func (p *exprParser) operator(ops []Op) (Op, bool) {
	for _, op := range ops {
		if p.tok == string(op) {
			return op, true
		}
	}
	return "", false
}

func (p *exprParser) prefix(op Op, operand func() Expr) Expr {
	at := p.tokAt
	if p.depth++; p.depth > maxNesting {
		p.fail(at, "expression nested more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	p.next()
	return &Unary{p.base(at), op, operand()}
}

// factor reads an atom with the signs before it and the members behind it.
func (p *exprParser) factor() Expr {
	if p.tok == "-" {
		return p.prefix(OpNeg, p.factor)
	}
	at := p.tokAt
	e := p.atom()
	for n := 0; ; n++ {
		if n == maxNesting {
			p.fail(p.tokAt, "more than %d members in a row", maxNesting)
		}
		switch {
		case p.accept("."):
			e = p.member(at, e)
		case p.accept("["):
			i := p.expr()
			p.expect("]")
			e = &Elem{p.base(at), e, i}
		default:
			return e
		}
	}
}

// member parses what follows the dot after e.
func (p *exprParser) member(at int, e Expr) Expr {
	nameAt := p.tokAt
	if p.tok != "_io" {
		return &FieldRef{expr: p.base(at), X: e, Name: p.name("a field name")}
	}
	p.next()
	return p.stream(at, nameAt, e)
}

// stream parses the property after `_io`.
func (p *exprParser) stream(at, ioAt int, x Expr) Expr {
	if !p.accept(".") {
		p.fail(ioAt, "_io is only of use with a property: _io.eof, _io.pos or _io.size")
	}
	prop := Prop(p.tok)
	switch prop {
	case PropEOF, PropPos, PropSize:
		p.next()
	default:
		p.unexpected("eof, pos or size")
	}
	return &StreamProp{p.base(at), x, prop}
}

// atom reads what has no operator: a number, a name, a call or what stands in
// parentheses.
func (p *exprParser) atom() Expr {
	at, tok := p.tokAt, p.tok
	switch {
	case p.accept("("):
		e := p.expr()
		p.expect(")")
		return e
	case tok == "":
		p.unexpected("a value")
		return &Self{p.base(at)}
	case '0' <= tok[0] && tok[0] <= '9':
		p.next()
		n, err := parseInt(tok)
		if err != "" {
			p.fail(at, "%s", err)
		}
		if p.tok == "." {
			p.fail(at, "floating-point numbers are outside the subset")
		}
		return &IntLit{p.base(at), n, tok}
	case tok == "true" || tok == "false":
		p.next()
		return &BoolLit{p.base(at), tok == "true"}
	case tok[0] == '_':
		p.next()
		return p.special(at, tok)
	}

	name := p.name("a value")
	if p.accept("::") {
		return &EnumLit{expr: p.base(at), Enum: name, Name: p.name("a name of the enum")}
	}
	return &FieldRef{expr: p.base(at), Name: name}
}

// special resolves the names that begin with an underscore.
func (p *exprParser) special(at int, tok string) Expr {
	switch tok {
	case "_":
		return &Self{p.base(at)}
	case "_index":
		return &Index{p.base(at)}
	case "_io":
		return p.stream(at, at, nil)
	case "_parent", "_root":
		p.fail(at, "%s is outside the subset; hand the value over as a parameter", tok)
	default:
		p.fail(at, "unknown name %s; the special names are _, _index and _io", quote(tok))
	}
	return &Self{p.base(at)}
}

// parseInt reads a whole number as Kaitai writes it: decimal, 0x, 0b or 0o, with
// single underscores between digits. A leading 0 is refused: YAML 1.1 reads such
// a number as octal, YAML 1.2 as decimal.
func parseInt(s string) (n uint64, reason string) {
	if len(s) > 1 && s[0] == '0' && ('0' <= s[1] && s[1] <= '9' || s[1] == '_') {
		return 0, fmt.Sprintf("number %s has a leading 0; drop it, or write 0o for octal", quote(s))
	}
	n, err := strconv.ParseUint(s, 0, 64)
	switch {
	case err == nil:
		return n, ""
	case strings.Contains(err.Error(), "range"):
		return 0, fmt.Sprintf("number %s does not fit into 64 bits", quote(s))
	}
	return 0, fmt.Sprintf("%s is not a whole number", quote(s))
}
