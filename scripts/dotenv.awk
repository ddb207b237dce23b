# Reads a .env file by the rules of Docker Compose ("Syntax for environment files in Docker
# Compose"), and prints what it sets as NAME='value', for a shell to evaluate:
#
#   LC_ALL=C awk [-v prefix=PREFIX] -f scripts/dotenv.awk .env
#
# The environment wins over the file, and a line over the lines before it. In awk,
# because it is needed before a Python is there: see docs/decisions/shell-before-python.md.
# Exit code 2 and one sentence when a line cannot be understood.

NR == 1 { sub(/^\357\273\277/, "") } # the byte order mark of some editors
{ sub(/\r$/, ""); lines[NR] = $0 }

END {
    for (at = 1; at <= NR; at++) read_line(lines[at])
    for (number = 1; number <= count; number++) {
        value = values[names[number]]
        gsub(/'/, "'\\''", value)
        # No shell has a variable of another name.
        if (names[number] ~ /^[A-Za-z_][A-Za-z0-9_]*$/) print prefix names[number] "='" value "'"
    }
}

function read_line(text,    name, quote, value) {
    sub(/^[ \t]+/, "", text)
    if (text == "" || text ~ /^#/) return
    sub(/^export[ \t]+/, "", text)
    if (text ~ /^[A-Za-z0-9_.-]+[ \t]*$/) return # as the environment has it, or not at all
    if (!match(text, /^[A-Za-z0-9_.-]+[ \t]*[=:]/))
        fail(at, "must be NAME=value, or begin with # to be a comment")
    name = substr(text, 1, RLENGTH - 1)
    sub(/[ \t]+$/, "", name)
    text = substr(text, RLENGTH + 1)
    quote = text
    sub(/^[ \t]+/, "", quote)
    if (quote ~ /^["']/) value = quoted(substr(quote, 2), substr(quote, 1, 1))
    else value = unquoted(text)
    if (!(name in values)) names[++count] = name
    values[name] = name in ENVIRON ? ENVIRON[name] : value
}

# A comment begins with # behind a space.
function unquoted(text) {
    sub(/ #.*/, "", text)
    sub(/^[ \t]+/, "", text)
    sub(/[ \t]+$/, "", text)
    return interpolated(text, 0)
}

# The quoted text, which may span lines; only a comment may follow the closing quote.
function quoted(text, quote,    began, value, char) {
    began = at
    for (;;) {
        if (text == "") {
            if (at == NR) fail(began, "has a value whose " quote " is never closed")
            text = lines[++at]
            value = value "\n"
            continue
        }
        char = substr(text, 1, 1)
        if (char == quote) break
        if (char == "\\" && length(text) > 1) {
            char = substr(text, 1, 2)
            # Only the quote is escaped in single quotes, where all else is literal.
            if (quote == "'" && char == "\\'") { value = value "'"; text = substr(text, 3); continue }
        }
        value = value char
        text = substr(text, length(char) + 1)
    }
    if (substr(text, 2) !~ /^[ \t]*(#.*)?$/) fail(at, "has something behind the closing " quote)
    return quote == "'" ? value : interpolated(value, 1)
}

# $NAME, ${NAME} and its forms with a default, nested as deep as one likes; $$ is a dollar sign.
# In double quotes (escapes = 1) also \n, \r, \t, \\, \" and \$.
function interpolated(text, escapes,    out, char, next_, inner) {
    while (match(text, /[$\\]/)) {
        out = out substr(text, 1, RSTART - 1)
        text = substr(text, RSTART)
        char = substr(text, 1, 1)
        next_ = substr(text, 2, 1)
        if (char == "\\") {
            if (escapes && next_ != "" && index("nrt\\\"$", next_)) {
                out = out (next_ == "n" ? "\n" : next_ == "r" ? "\r" : next_ == "t" ? "\t" : next_)
                text = substr(text, 3)
            } else {
                out = out char
                text = substr(text, 2)
            }
        } else if (next_ == "$") {
            out = out "$"
            text = substr(text, 3)
        } else if (match(text, /^\$[A-Za-z_][A-Za-z0-9_]*/)) {
            out = out looked_up(substr(text, 2, RLENGTH - 1))
            text = substr(text, RLENGTH + 1)
        } else if (next_ == "{") {
            inner = braced(text)
            out = out expansion(inner, escapes)
            text = substr(text, length(inner) + 4)
        } else {
            out = out char
            text = substr(text, 2)
        }
    }
    return out text
}

# The text between ${ and its }.
function braced(text,    depth, position) {
    for (position = 1; position <= length(text); position++) {
        if (substr(text, position, 2) == "${") depth++
        if (substr(text, position, 1) == "}" && --depth == 0) return substr(text, 3, position - 3)
    }
    fail(at, "has a ${ that is never closed")
}

function expansion(inner, escapes,    name, operator, rest, there) {
    if (!match(inner, /^[A-Za-z_][A-Za-z0-9_]*/)) fail(at, "has no variable's name in ${" inner "}")
    name = substr(inner, 1, RLENGTH)
    rest = substr(inner, RLENGTH + 1)
    if (rest == "") return looked_up(name)
    there = name in ENVIRON || name in values
    if (rest ~ /^:/) {
        there = looked_up(name) != ""
        rest = substr(rest, 2)
    }
    operator = substr(rest, 1, 1)
    rest = substr(rest, 2)
    if (operator == "-") return there ? looked_up(name) : interpolated(rest, escapes)
    if (operator == "+") return there ? interpolated(rest, escapes) : ""
    if (operator != "?") fail(at, "has ${" inner "}, which is no form that Docker Compose knows")
    if (!there) fail(at, "needs " name ": " interpolated(rest, escapes))
    return looked_up(name)
}

function looked_up(name) {
    if (name in ENVIRON) return ENVIRON[name]
    return name in values ? values[name] : ""
}

function fail(line, sentence) {
    printf "error %s:%d: %s.\n", FILENAME, line, sentence | "cat >&2"
    close("cat >&2")
    exit 2
}
