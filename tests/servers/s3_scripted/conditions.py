"""If-Match and its relatives, on reads, writes, copies and deletes."""

import calendar
import time

from .errors import S3Error

FORMS = ('%a, %d %b %Y %H:%M:%S GMT', '%A, %d-%b-%y %H:%M:%S GMT', '%a %b %d %H:%M:%S %Y',
         '%Y-%m-%dT%H:%M:%SZ')


def parse_date(text):
    for form in FORMS:
        try:
            return calendar.timegm(time.strptime(text.strip(), form))
        except ValueError:
            continue
    return None


def _tags(text):
    return [word.strip().removeprefix('W/').strip('"') for word in text.split(',')]


def _matches(text, version):
    return text.strip() == '*' or version.etag.strip('"') in _tags(text)


def _failed(name):
    return S3Error('PreconditionFailed', Condition=name)


def check_read(headers, version, prefix=''):
    """The four conditions in the order of RFC 9110 13.2.2; prefix for the copy-source form."""
    status = {'not': 'NotModified' if not prefix else 'PreconditionFailed'}
    modified = int(version.mtime)
    value = headers.get(prefix + 'if-match')
    if value is not None:
        if not _matches(value, version):
            raise _failed('If-Match')
    elif prefix + 'if-unmodified-since' in headers:
        date = parse_date(headers[prefix + 'if-unmodified-since'])
        if date is not None and modified > date:
            raise _failed('If-Unmodified-Since')
    value = headers.get(prefix + 'if-none-match')
    known = [('ETag', version.etag), ('Last-Modified',
                                      time.strftime(FORMS[0], time.gmtime(modified)))]
    if value is not None:
        if _matches(value, version):
            raise S3Error(status['not'], headers=known, Condition='If-None-Match')
    elif prefix + 'if-modified-since' in headers:
        date = parse_date(headers[prefix + 'if-modified-since'])
        if date is not None and modified <= date:
            raise S3Error(status['not'], headers=known, Condition='If-Modified-Since')


def _check_none_match(settings, value, current):
    if value.strip() == '*':
        if current is not None:
            raise _failed('If-None-Match')
        return
    if not settings.cond_put_etags:
        raise S3Error('NotImplemented', Header='If-None-Match',
                      additionalMessage='We don\'t accept the provided value of If-None-Match '
                                        'header for this API')
    if current is not None and _matches(value, current):
        raise _failed('If-None-Match')


def _check_match(settings, value, current, key):
    if current is None:
        if settings.cond_put_etags:
            raise _failed('If-Match')
        raise S3Error('NoSuchKey', Key=key)
    if not _matches(value, current):
        raise _failed('If-Match')


def _refuse(answer, name):
    status, code, message = answer
    raise S3Error(code, message, status, Header=name)


def check_write(settings, mode, headers, current, key, prefix='', match_mode=None):
    """Conditions of a write against the object that is there (None: none)."""
    none_match = headers.get(prefix + 'if-none-match')
    match = headers.get(prefix + 'if-match')
    if none_match is not None:
        if isinstance(mode, tuple):
            _refuse(mode, 'If-None-Match')
        if mode == 'native':
            _check_none_match(settings, none_match, current)
    match_mode = match_mode or mode
    if match is not None:
        if isinstance(match_mode, tuple):
            _refuse(match_mode, 'If-Match')
        if match_mode == 'native':
            _check_match(settings, match, current, key)
    if mode == 'native' and settings.cond_put_etags and current is not None:
        date = parse_date(headers.get(prefix + 'if-unmodified-since', ''))
        if date is not None and int(current.mtime) > date:
            raise _failed('If-Unmodified-Since')


def check_own(settings, headers, current):
    """The create-only headers that single services have instead."""
    name = settings.forbid_overwrite
    if name and headers.get(name, '').lower() == 'true' and current is not None:
        raise S3Error('FileAlreadyExists')
    name = settings.generation_match
    if name and name in headers:
        generation = current.generation if current is not None else 0
        if headers[name] != str(generation):
            raise _failed(name)
