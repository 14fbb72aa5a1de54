// Copyright: modelops.hf_mirror contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a user of huggingface.js does: huggingface_js.mjs PACKAGE-FOLDER HUB-URL ORDER. ORDER is JSON: repositories, a
// ref, the paths to ask for. One JSON object is printed: an answer for each question, or {raised}.

import {createHash} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {basename, join, relative} from 'node:path';

const [folder, hubUrl, order] = process.argv.slice(2);
const hub = createRequire(`${folder}/`)('@huggingface/hub');
const {repo, plain, dataset, ref, paths} = JSON.parse(order);

function sha256(content) {
    return createHash('sha256').update(content).digest('hex');
}

async function eachFile(revision) {
    const found = {};
    for (const path of paths) {
        const blob = await hub.downloadFile({repo, path, revision, hubUrl});
        found[path] = blob && sha256(Buffer.from(await blob.arrayBuffer()));
    }
    return found;
}

async function list(options) {
    const found = {};
    for await (const entry of hub.listFiles({repo, hubUrl, ...options})) {
        found[entry.path] = entry.type === 'file' ? [entry.size, entry.lfs ? entry.lfs.oid : null] : null;
    }
    return found;
}

async function snapshot(options) {
    const root = await hub.snapshotDownload({hubUrl, ...options});
    const files = readdirSync(root, {recursive: true, withFileTypes: true}).filter((entry) => !entry.isDirectory());
    const names = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name));
    return {
        commit: basename(root),
        files: Object.fromEntries(names.map((name) => [relative(root, name), sha256(readFileSync(name))])),
    };
}

const questions = {
    main: () => eachFile('main'),
    ref: () => eachFile(ref),
    missing: () => hub.downloadFile({repo, path: 'nothing', hubUrl}),
    list: () => list({recursive: true}),
    listOfRef: () => list({recursive: true, revision: ref}),
    info: async () => {
        const info = await hub.modelInfo({name: repo, hubUrl, additionalFields: ['sha']});
        return {name: info.name, sha: info.sha};
    },
    exists: async () => [
        await hub.fileExists({repo, path: 'config.json', hubUrl}),
        await hub.fileExists({repo, path: 'nothing', hubUrl}),
        await hub.repoExists({repo, hubUrl}),
        await hub.repoExists({repo: 'no/such', hubUrl}),
    ],
    pathsInfo: async () => (await hub.pathsInfo({repo, paths, hubUrl})).map((entry) => entry.path).sort(),
    snapshot: () => snapshot({repo: plain}),
    dataset: () => snapshot({repo: {type: 'dataset', name: dataset}, revision: ref}),
    models: async () => {
        const found = [];
        for await (const model of hub.listModels({hubUrl})) {
            found.push(model.name);
        }
        return found.sort();
    },
};

const answers = {};
for (const [name, question] of Object.entries(questions)) {
    try {
        answers[name] = await question();
    } catch (error) {
        answers[name] = {raised: String(error.stack)};
    }
}
console.log(JSON.stringify(answers));
