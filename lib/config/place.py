"""Find the first error in a file that is not JSON. Loaded if json.load() has refused it."""

from micropython import const

_PIECE = const(256)  # bytes per read
_WORD = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._"
_COMMENT = "comments are not allowed"
# Parts of JSON that may come next, and the error if none of them does.
_EXPECTED = {
    "value": "a value is missing",
    "name": 'a name in double quotes is missing: "name": value',
    "colon": 'a ":" is missing after the name',
    "comma": 'a "," is missing before this',
    "end": "nothing may follow the last bracket",
}


def find(path: str) -> str:
    """Return the place of the first error of a file, and its text, or "" if none is found.

    Raises OSError if it cannot be read.
    """
    with open(path, "rb") as file:
        if file.read(3) != b"\xef\xbb\xbf":
            file.seek(0)
        place = _Place()
        while True:
            piece = file.read(_PIECE)
            for byte in piece or b"\n":
                text = place.next(byte)
                if text:
                    return "line %d, column %d: %s" % (place.line, place.column, text)
            if not piece:
                text = place.at_end()
                return "line %d: %s" % (place.last, text) if text else ""


class _Place:
    """The state of a parser that gets one byte after the other."""

    def __init__(self):
        self.line, self.column = 1, 0
        self.last = 1  # the last line that is not empty
        self._expected = "value"
        self._open = bytearray()  # the brackets
        self._word = bytearray()  # a number, true, false, null, or a wrong one
        self._start = 0  # the column of the word or text
        self._in_text = self._escaped = False
        self._is_name = False  # whether the text is a name

    def next(self, byte: int) -> str:
        """Process a byte. Return the error that it makes, or ""."""
        if byte & 0xC0 != 0x80:  # not within a character of UTF-8
            self.column += 1
        text = self._in_string(byte) if self._in_text else self._outside(byte)
        if not text and byte == 10:
            self.line += 1
            self.column = 0
        return text

    def at_end(self) -> str:
        """Return the error of a file that ends here, or ""."""
        if self._open:
            return 'the file ends, but a "%s" is missing' % ("}" if self._open[-1] == 123 else "]")
        return "the file has no settings" if self._expected == "value" else ""

    def _in_string(self, byte):
        if byte == 10:
            self.column = self._start
            return "a text has no quote at its end"
        if self._escaped:
            self._escaped = False
            return "" if byte in b'"/bfnrtu\\' else "a backslash must be written as two"
        if byte == 34:
            self._in_text = False
            self._expected = "colon" if self._is_name else self._after_value()
        self._escaped = byte == 92
        return ""

    def _after_value(self):
        return "comma" if self._open else "end"

    def _outside(self, byte):
        if byte in _WORD:
            if not self._word:
                self._start = self.column
                if self._expected != "value":
                    return self._wrong(byte)
            self._word.append(byte)
            return ""
        if self._word:
            text = self._end_of_word()
            if text:
                self.column = self._start
                return text
        if byte <= 32 and byte in b" \t\r\n":
            return ""
        self.last = self.line
        return self._sign(byte)

    def _sign(self, byte):
        expected = self._expected
        if byte == 34 and expected in ("value", "name"):
            self._in_text, self._is_name = True, expected == "name"
            self._start = self.column
        elif byte in b"{[" and expected == "value":
            self._open.append(byte)
            self._expected = "name" if byte == 123 else "value"
        elif byte in b"}]" and self._open and expected not in ("colon", "end"):
            if self._open[-1] != byte - 2:
                return '"%s" closes "%s"' % (chr(byte), chr(self._open[-1]))
            if expected == "value" and byte == 125:
                return _EXPECTED["value"]
            self._open = self._open[:-1]
            self._expected = self._after_value()
        elif byte == 44 and expected == "comma":
            self._expected = "name" if self._open[-1] == 123 else "value"
        elif byte == 58 and expected == "colon":
            self._expected = "value"
        else:
            return self._wrong(byte)
        return ""

    def _wrong(self, byte):
        if byte in b"/#":
            return _COMMENT
        if byte == 39:
            return "texts need double quotes"
        return _EXPECTED[self._expected]

    def _end_of_word(self):
        word = str(self._word, "utf-8")
        self._word = bytearray()
        self.last = self.line
        if word not in ("true", "false", "null"):
            try:
                digits = word[1:] if word[0] == "-" else word
                if not digits[:1].isdigit() or digits[:1] == "0" and digits[1:2].isdigit():
                    raise ValueError
                float(word)
            except ValueError:
                if word in ("True", "False", "None"):
                    return "write %s" % (word.lower() if word != "None" else "null")
                return "%s is no value: texts need double quotes" % word[:20]
        self._expected = self._after_value()
        return ""
