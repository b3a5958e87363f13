"""The little XML that the server writes and reads."""

import xml.etree.ElementTree as ET


class Markup(str):
    """XML that is escaped already."""


def escape(text):
    """XML text; control characters as references, as the service writes them."""
    out = []
    for char in str(text):
        if char in '&<>"':
            out.append({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'}[char])
        elif ord(char) < 32 and char not in '\t\n' or ord(char) == 127:
            out.append('&#x%x;' % ord(char))
        else:
            out.append(char)
    return ''.join(out)


def element(name, *content):
    """<name>content</name>; str content is escaped, bytes-like Markup is taken as it is."""
    inner = ''.join(c if isinstance(c, Markup) else escape(c) for c in content)
    return Markup('<%s>%s</%s>' % (name, inner, name))


def document(name, *content, xmlns=True):
    space = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' if xmlns else ''
    inner = ''.join(content)
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<%s%s>%s</%s>' % (name, space, inner, name)
    return text.encode('utf-8', 'surrogatepass')


def parse(body):
    """The root of an XML body, namespaces taken off; None when it is not well-formed."""
    try:
        root = ET.fromstring(body)
    except ET.ParseError:
        return None
    for node in root.iter():
        node.tag = node.tag.rpartition('}')[2]
    return root
