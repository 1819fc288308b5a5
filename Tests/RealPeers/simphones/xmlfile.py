"""XML as the readers of its vendors take it."""
import xml.etree.ElementTree as ElementTree

from .settings import Unreadable


def root(data, name):
    """The root element, which must have one of the names given."""
    names = (name,) if isinstance(name, str) else name
    if b'<!DOCTYPE' in data or b'<!ENTITY' in data:
        raise Unreadable('a phone takes no document type')
    try:
        element = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise Unreadable(f'no well-formed XML: {error}') from error
    if element.tag not in names:
        raise Unreadable(f'the root is {element.tag!r}')
    return element


def text(element):
    return (element.text or '').strip() if element is not None else ''
