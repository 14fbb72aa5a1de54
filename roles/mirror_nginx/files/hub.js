// Copyright: modelops.hf_mirror contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// What nginx' own words can't say: hash a token, look up some paths, list the repositories that the caller may see.
// Runs on njs 0.7.9 (Debian 12) and newer. Its worker does nothing else meanwhile, so no document of the store is parsed:
// that of a large repository takes a tenth of a second. What is sent is put together from bytes, for text is slow, too.

import crypto from 'crypto';
import fs from 'fs';
import querystring from 'querystring';

// Repositories that are looked at for one page of a listing, and the bytes that are read for it, or looked through for a
// tag, whether they are in it or not, unless the first alone has more.
const PAGE = 500;
const PAGE_BYTES = 1 << 20;

// Tags that one listing may ask for: each is looked for in all that is read.
const FILTERS = 10;

// Paths that one request may ask for, as on the Hub, and the bytes of one that the store may have (_base/names.py).
const PATHS = 1000;
const PATH_BYTES = 2048;

// Beyond so many fields of a form, or commas or brackets in JSON, which names may have, too, a body is not parsed:
// a hundred thousand would take a tenth of a second and 60 MB.
const FIELDS = 1020;
const SIGNS = 10000;

// The width of a number with its line break in paths.txt (_store/path_index.py), of a digest, and of what comes before the
// positions: how many these are, and the seed.
const NUMBER = 12;
const DIGEST = 32;
const HEAD = NUMBER + DIGEST + 1;

// Where the mirror's own API is.
const OWN = '/api/mirror/v1';

// As many digits of a token's hash as go into one of nginx' buckets; templates/tokens.j2 cuts there, too.
const TOKEN_DIGITS = 40;

// What is kept of the SHA-256 of the secret that a request brings, as bearer token or as the password of basic authentication.
function tokenHash(r) {
    const parts = (r.headersIn.Authorization || '').split(' ');
    const scheme = parts[0].toLowerCase();
    let secret = parts[1] || '';
    if (scheme === 'basic') {
        const pair = Buffer.from(secret, 'base64').toString();
        secret = pair.slice(pair.indexOf(':') + 1);
    } else if (scheme !== 'bearer') {
        return '';
    }
    return crypto.createHash('sha256').update(secret).digest('hex').slice(0, TOKEN_DIGITS);
}

// POST paths-info: entries of the tree for some paths; those that are not there are left out.
function pathsInfo(r) {
    if (r.method !== 'POST') {
        r.headersOut.Allow = 'POST';
        r.return(405, 'paths-info answers POST only.\n');
        return;
    }
    let body;
    try {
        body = r.requestText || '';
    } catch (e) {
        // With no Content-Length it may have more framing than content, and then nginx has put it into a file.
        answer(r, 413, '{"error":"The body is too large. Send it with a Content-Length."}');
        return;
    }
    const paths = askedPaths(r, body);
    if (!paths) {
        answer(r, 400, '{"error":"The body is neither a form nor JSON."}');
        return;
    }
    if (paths.length > PATHS) {
        answer(r, 413, `{"error":"Ask for ${PATHS} paths at most."}`);
        return;
    }
    let index;
    try {
        index = fs.openSync(r.variables.hub_paths);
    } catch (e) {
        answer(r, e.code === 'ENOENT' ? 503 : 500, '{"error":"The next sync of this mirror makes what this is looked up in."}');
        return;
    }
    try {
        const head = readAt(index, 0, HEAD).toString();
        const buckets = parseInt(head, 10);
        const seed = head.slice(NUMBER, -1);
        const found = paths.map((path) => lookUp(index, buckets, seed, path)).filter((entry) => entry);
        r.headersOut['X-Repo-Commit'] = r.variables.hub_commit;
        answer(r, 200, list(found));
    } finally {
        fs.closeSync(index);
    }
}

// What a body asks for: too many paths where it is not worth while to count them, null where it makes no sense.
function askedPaths(r, body) {
    const isJson = (r.headersIn['Content-Type'] || '').startsWith('application/json');
    const most = isJson ? SIGNS : FIELDS;
    const signs = isJson ? [',', '[', '{'] : ['&'];
    for (let i = 0; i < signs.length; i++) {
        const parts = body.split(signs[i], most + 1);
        if (parts.length > most) {
            return parts;
        }
    }
    try {
        const given = isJson ? JSON.parse(body || '{}') : querystring.parse(body, '&', '=', {maxKeys: 0});
        return [].concat(given.paths || []).map(String);
    } catch (e) {
        return null;
    }
}

// A path without slashes around it, in one pass; nothing where it is longer than any can be.
function trimmed(path) {
    const found = path.length > PATH_BYTES ? null : /[^\/](?:[\s\S]*[^\/])?/.exec(path);
    return found ? found[0] : '';
}

// The entry of a path, as bytes.
function lookUp(index, buckets, seed, given) {
    const path = trimmed(given);
    if (!path) {
        return null;
    }
    const digest = crypto.createHash('sha256').update(seed + path).digest('hex').slice(0, DIGEST);
    const bucket = parseInt(digest.slice(0, 8), 16) % buckets;
    const ends = readAt(index, HEAD + bucket * NUMBER, 2 * NUMBER).toString();
    // the line before ends where this begins
    const start = parseInt(ends, 10) - 1;
    const lines = readAt(index, start, parseInt(ends.slice(NUMBER), 10) - start);
    const line = lines.indexOf(`\n${digest} `);
    if (line < 0) {
        return null;
    }
    const entry = line + DIGEST + 2;
    return lines.slice(entry, lines.indexOf('\n', entry));
}

function readAt(file, position, length) {
    const found = Buffer.alloc(length);
    fs.readSync(file, found, 0, length, position);
    return found;
}

// GET /api/models and the like: what has a `main` and what the caller may see, by name, page by page. The mirror's own API
// has the same, in words of its own, of all repositories.
function listing(r) {
    const kind = r.variables.hub_listed;
    const given = Object.create(null);
    Object.keys(r.args).forEach((name) => {
        // what is given twice is a list
        given[name] = [].concat(r.args[name]).map(String);
    });
    const first = (name) => (given[name] || [''])[0];
    const limit = Math.min(Math.max(parseInt(first('limit'), 10) || PAGE, 1), PAGE);
    const search = first('search').toLowerCase();
    const isOwn = r.uri.startsWith(OWN);
    const isFull = !isOwn && /^(?:true|1)$/i.test(first('full'));
    const wanted = filters(given);
    if (wanted.length > FILTERS) {
        answer(r, 400, `{"error":"Ask for ${FILTERS} tags at most."}`);
        return;
    }
    const rules = rulesOf(r);
    if (rules.length && !rules.some((rule) => rule.allows)) {
        answer(r, 200, '[]');
        return;
    }
    // Names of folders are compared as they are: a new string for each of many thousand takes most of the time.
    const author = first('author') ? `${first('author')}--` : '';
    const start = `${kind}--${author}`;
    const after = `${kind}--${first('cursor').replace('/', '--')}`;
    const names = fs.readdirSync(r.variables.hub_folder)
        .filter((name) => name.startsWith(start) && name > after)
        .filter((name) => !search || idOf(name).toLowerCase().includes(search))
        .sort();
    const found = [];
    let bytes = 0;
    let lookedAt = 0;
    let last = '';
    let next = '';
    for (let i = 0; i < names.length; i++) {
        const mirror = `${r.variables.hub_folder}/${names[i]}/.mirror`;
        if (!maySee(r, rules, nameOf(names[i]), mirror)) {
            continue;
        }
        // the name of a repository that the caller can't see must not get into the address of the next page
        if (found.length === limit || lookedAt === PAGE || bytes > PAGE_BYTES) {
            next = last;
            break;
        }
        const looked = lookAt(isOwn ? `${mirror}/v1` : `${mirror}/rev/main`, wanted, isFull);
        if (bytes && bytes + looked.bytes > PAGE_BYTES) {
            next = last;
            break;
        }
        bytes += looked.bytes;
        if (looked.entry) {
            found.push(looked.entry);
        }
        lookedAt++;
        last = idOf(names[i]);
    }
    if (next && r.variables.http_host) {
        const args = Object.assign({}, given, {cursor: next});
        const api = isOwn ? OWN : '/api';
        const page = `${r.variables.scheme}://${r.variables.http_host}${api}/${kind}?${querystring.stringify(args)}`;
        r.headersOut.Link = `<${page}>; rel="next"`;
    }
    answer(r, 200, list(found));
}

// GET /api/mirror/v1/resolve: leads to the version that is asked for by name and ref.
function resolve(r) {
    const asked = (name, otherwise) => String([].concat(r.args[name] || otherwise)[0]);
    const kind = asked('type', 'model');
    const repo = asked('repo', '');
    if (!['model', 'dataset', 'space'].includes(kind)) {
        answer(r, 400, '{"error":"type is model, dataset or space"}');
        return;
    }
    if (!/^[^\/]+(?:\/[^\/]+)?$/.test(repo)) {
        answer(r, 400, '{"error":"repo is ORG/NAME"}');
        return;
    }
    // a repository or ref that there can't be is not found there
    const name = repo.split('/').map(encodeURIComponent).join('/');
    r.return(307, `${OWN}/${kind}s/${name}/resolve/${encodeURIComponent(asked('ref', 'main'))}`);
}

// What the first line of listed.txt has to have.
function filters(given) {
    const tags = (given.filter || []).concat(given.library || []).join(',').split(',');
    const tasks = (given.pipeline_tag || []).map((task) => task && `pipeline_tag:${task}`);
    return tags.concat(tasks).filter((word) => word).map((word) => `\t${word.toLowerCase()}\t`);
}

// What a listing says of a commit, as bytes, or null where it is not what is wanted or not there; and what that took.
function lookAt(commit, wanted, isFull) {
    const looked = {entry: null, bytes: 0};
    const read = (name) => {
        const content = fs.readFileSync(`${commit}/${name}`);
        looked.bytes += content.length;
        return content;
    };
    try {
        const listed = isFull && !wanted.length ? null : read('listed.txt');
        if (wanted.length) {
            // in bytes, which is ten times as fast as in text
            const words = listed.slice(0, listed.indexOf('\n'));
            looked.bytes += words.length * wanted.length;
            if (!wanted.every((word) => words.indexOf(word) >= 0)) {
                return looked;
            }
        }
        looked.entry = isFull ? read('info.json') : listed.slice(listed.indexOf('\n') + 1);
    } catch (e) {
        // there is none
    }
    return looked;
}

// Where a repository is that was asked for in another case; nothing where the caller may not see it.
function otherCase(r) {
    const asked = r.variables.hub_repo;
    let folder;
    try {
        folder = fs.realpathSync(`${JSON.parse(r.variables.hub_known).names}/${asked.toLowerCase()}`);
    } catch (e) {
        return '';
    }
    const name = folder.slice(folder.lastIndexOf('/') + 1);
    // never to itself, whatever it was that could not be read
    if (name === asked || !maySee(r, rulesOf(r), nameOf(name), `${folder}/.mirror`)) {
        return '';
    }
    // What follows the name stays as the client wrote it, percent signs and all.
    let rest = r.variables.request_uri;
    const kind = r.variables.hub_kind ? `/${r.variables.hub_kind}` : '';
    const api = rest.startsWith(OWN) ? OWN : '/api';
    const before = r.variables.hub_verb ? kind : `${api}${kind}`;
    const words = `${before}/${r.variables.hub_repo_id}`.split('/').slice(1);
    for (let i = 0; i < words.length; i++) {
        const word = /^(?:\/|%2[Ff])+((?:[^\/?%]|%(?!2[Ff]))+)/.exec(rest);
        if (!word || querystring.unescape(word[1]) !== words[i]) {
            return '';
        }
        rest = rest.slice(word[0].length);
    }
    return `${before}/${idOf(name)}${rest}`;
}

// The size of the file that a redirect leads to.
function size(r) {
    return String(fs.statSync(r.variables.document_root).size);
}

function idOf(folder) {
    return folder.slice(folder.indexOf('--') + 2).replace('--', '/');
}

// What the rules call a repository.
function nameOf(folder) {
    const kind = folder.slice(0, folder.indexOf('--'));
    return kind === 'models' ? idOf(folder) : `${kind}/${idOf(folder)}`;
}

function rulesOf(r) {
    return JSON.parse(r.variables.hub_known).rules.map((rule) => ({
        parts: rule.pattern.split('*'),
        allows: r.variables[rule.variable],
    }));
}

// The first rule that names a repository decides, as in the map of the rules.
function maySee(r, rules, name, mirror) {
    const rule = rules.find((one) => matches(one.parts, name));
    if (rules.length && !(rule && rule.allows)) {
        return false;
    }
    return Boolean(r.variables.hub_gated_member) || !exists(`${mirror}/gated`);
}

// Whether a name is these parts with anything in between. An expression for each would take ten times as long.
function matches(parts, name) {
    const last = parts.length - 1;
    if (last === 0) {
        return name === parts[0];
    }
    let end = parts[0].length;
    if (!name.startsWith(parts[0])) {
        return false;
    }
    for (let i = 1; i < last; i++) {
        const found = name.indexOf(parts[i], end);
        if (found < 0) {
            return false;
        }
        end = found + parts[i].length;
    }
    return name.length - parts[last].length >= end && name.endsWith(parts[last]);
}

function exists(file) {
    try {
        fs.statSync(file);
        return true;
    } catch (e) {
        return false;
    }
}

// Some entries, which are bytes, as a list in JSON.
function list(entries) {
    const parts = [Buffer.from('[')];
    entries.forEach((entry, number) => {
        parts.push(Buffer.from(number ? ',' : ''), entry);
    });
    parts.push(Buffer.from(']'));
    return Buffer.concat(parts);
}

// Answers without ETag and date. Who asks for one is refused; nginx does that, too, but makes r.return() fail by it.
function answer(r, status, body) {
    const match = r.headersIn['If-Match'];
    const compares = (match !== undefined && match !== '*') || r.headersIn['If-Unmodified-Since'] !== undefined;
    if (status === 200 && compares) {
        status = 412;
        body = '{"error":"There is no ETag and no date to compare."}';
    }
    r.headersOut['Content-Type'] = 'application/json';
    r.headersOut['Cache-Control'] = 'no-cache';
    r.return(status, body);
}

export default {tokenHash, pathsInfo, listing, resolve, otherCase, size};
