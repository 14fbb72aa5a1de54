// Copyright: modelops.hf_mirror contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// What nginx' own words can't say: hash a token, look up some paths, list the repositories that the caller may see.
// Runs on njs 0.7.9 (Debian 12) and newer. Reading is synchronous: each answer reads few and small files.

import crypto from 'crypto';
import fs from 'fs';
import querystring from 'querystring';

// Repositories in one page of a listing.
const PAGE = 500;

// The SHA-256 of the secret that a request brings, as bearer token or as the password of basic authentication.
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
    return crypto.createHash('sha256').update(secret).digest('hex');
}

// POST paths-info: entries of the tree for some paths; those that are not there are left out.
function pathsInfo(r) {
    if (r.method !== 'POST') {
        r.headersOut.Allow = 'POST';
        r.return(405, 'paths-info answers POST only.\n');
        return;
    }
    let paths;
    try {
        const isJson = (r.headersIn['Content-Type'] || '').startsWith('application/json');
        const given = isJson ? JSON.parse(r.requestText || '{}') : querystring.parse(r.requestText || '');
        paths = [].concat(given.paths || []).map(String);
    } catch (e) {
        answer(r, 400, {error: 'The body is neither a form nor JSON.'});
        return;
    }
    const found = [];
    const folders = Object.create(null);
    paths.forEach((given) => {
        const path = given.replace(/^\/+|\/+$/g, '');
        const parts = path.split('/');
        if (parts.some((part) => part === '' || part === '.' || part === '..') || path.indexOf('\0') >= 0) {
            return;
        }
        const folder = parts.slice(0, -1).join('/');
        if (folders[folder] === undefined) {
            folders[folder] = read(`${r.variables.hub_tree}/${folder}/.mirror.flat.json`) || [];
        }
        const entry = folders[folder].find((one) => one.path === path);
        if (entry) {
            found.push(entry);
        }
    });
    r.headersOut['X-Repo-Commit'] = r.variables.hub_commit;
    answer(r, 200, found);
}

// GET /api/models and the like: what has a `main` and what the caller may see, by name, page by page.
function listing(r) {
    const kind = r.variables.hub_listed;
    const prefix = kind === 'models' ? '' : `${kind}/`;
    const given = {};
    Object.keys(r.args).forEach((name) => {
        // what is given twice is a list
        given[name] = String(Array.isArray(r.args[name]) ? r.args[name][0] : r.args[name]);
    });
    const limit = Math.min(Math.max(parseInt(given.limit, 10) || PAGE, 1), PAGE);
    const search = (given.search || '').toLowerCase();
    const rules = JSON.parse(r.variables.hub_rules).map((rule) => ({
        parts: rule.pattern.split('*'),
        allows: r.variables[rule.variable],
    }));
    if (rules.length && !rules.some((rule) => rule.allows)) {
        answer(r, 200, []);
        return;
    }
    const idOf = (name) => name.slice(kind.length + 2).replace('--', '/');
    // Names of folders are compared as they are: a new string for each of many thousand takes most of the time.
    const author = given.author ? `${given.author}--` : '';
    const start = `${kind}--${author}`;
    const after = `${kind}--${(given.cursor || '').replace('/', '--')}`;
    const names = fs.readdirSync(r.variables.hub_folder)
        .filter((name) => name.startsWith(start) && name > after)
        .filter((name) => !search || idOf(name).toLowerCase().includes(search))
        .sort();
    const found = [];
    let next = '';
    for (let i = 0; i < names.length; i++) {
        const mirror = `${r.variables.hub_folder}/${names[i]}/.mirror`;
        if (!maySee(r, rules, `${prefix}${idOf(names[i])}`, mirror)) {
            continue;
        }
        const info = read(`${mirror}/rev/main/info.json`);
        if (!info) {
            continue;
        }
        if (found.length === limit) {
            next = found[limit - 1].id;
            break;
        }
        if (given.full === undefined) {
            delete info.siblings;
        }
        found.push(info);
    }
    if (next && r.variables.http_host) {
        const args = Object.assign({}, given, {cursor: next});
        const page = `${r.variables.scheme}://${r.variables.http_host}/api/${kind}?${querystring.stringify(args)}`;
        r.headersOut.Link = `<${page}>; rel="next"`;
    }
    answer(r, 200, found);
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

function read(file) {
    try {
        return JSON.parse(fs.readFileSync(file));
    } catch (e) {
        return null;
    }
}

// Answers without ETag and date. Who asks for one is refused; nginx does that, too, but makes r.return() fail by it.
function answer(r, status, value) {
    const match = r.headersIn['If-Match'];
    const compares = (match !== undefined && match !== '*') || r.headersIn['If-Unmodified-Since'] !== undefined;
    if (status === 200 && compares) {
        status = 412;
        value = {error: 'There is no ETag and no date to compare.'};
    }
    r.headersOut['Content-Type'] = 'application/json';
    r.headersOut['Cache-Control'] = 'no-cache';
    r.return(status, JSON.stringify(value));
}

export default {tokenHash, pathsInfo, listing};
