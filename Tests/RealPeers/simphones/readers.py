"""Reads a vendor's file: `read(vendor, data)`."""
from . import cisco, fanvil, grandstream, poly, snom, yealink

READERS = {'yealink': yealink, 'fanvil': fanvil, 'snom': snom, 'grandstream': grandstream, 'poly': poly, 'cisco': cisco}


def read(vendor, data, **options):
    return READERS[vendor].read(data, **options)
