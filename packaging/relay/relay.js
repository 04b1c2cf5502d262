// Decides which request of a device may go on to the hub. The device's name is known: nginx has checked certificate or
// password. Its serial number or DUID comes from the maps, never from the request.

const PATH = /^\/api\/v2\/integrator\/licenses(?:\/([A-Za-z0-9._-]+)(\/renew)?)?$/;
const ENTRY = '/hub';

async function handle(r) {
    const path = PATH.exec(r.uri);
    if (!path) {
        return refuse(r, 404, 'there is no such path');
    }
    const serial = path[1];
    if (!serial) {
        return path[2] === undefined ? collection(r) : refuse(r, 404, 'there is no such path');
    }
    const wanted = path[2] ? 'POST' : 'GET';
    if (r.method !== wanted) {
        return refuse(r, r.method === 'DELETE' ? 403 : 405, 'a device may view and renew its license');
    }
    const answer = await mayUse(r, serial);
    if (answer === true) {
        return r.internalRedirect(ENTRY + '/' + serial + (path[2] || '?format=netifyd'));
    }
    return answer ? pass(r, answer) : refuse(r, 403, 'this license is not of this device');
}

// true, false, or the hub's response where the hub could not tell.
async function mayUse(r, serial) {
    if (r.variables.netify_serial) {
        return serial === r.variables.netify_serial;
    }
    if (!r.variables.netify_duid) {
        return false;
    }
    const license = await hub(r, '/' + serial);
    return license.status === 200 ? names(parsed(license).data, r.variables.netify_duid) : license;
}

// The list, of which a device sees its own licenses; and creation, for its own DUID.
async function collection(r) {
    const duid = r.variables.netify_duid;
    if (!duid) {
        return refuse(r, 403, 'this device may not list or create licenses');
    }
    if (r.method === 'POST') {
        const body = parsed({ responseText: r.requestText });
        return names(body, duid) ? r.internalRedirect(ENTRY) : refuse(r, 403, 'the DUID is not of this device');
    }
    if (r.method !== 'GET') {
        return refuse(r, 405, 'licenses are listed and created here');
    }
    const answer = await hub(r, '', r.variables.args);
    const envelope = parsed(answer);
    if (answer.status === 200 && Array.isArray(envelope.data)) {
        envelope.data = envelope.data.filter(license => names(license, duid));
        delete envelope.total; // of the whole fleet: it would call this list incomplete
        r.headersOut['Content-Type'] = 'application/json';
        return r.return(200, JSON.stringify(envelope));
    }
    return pass(r, answer);
}

function hub(r, path, args) {
    return r.subrequest(ENTRY + path, { method: 'GET', args: args || 'format=netifyd' });
}

function names(object, duid) {
    return Boolean(object) && object.duid === duid;
}

function parsed(answer) {
    try {
        return JSON.parse(answer.responseText) || {};
    } catch (error) {
        return {};
    }
}

function pass(r, answer) {
    ['Content-Type', 'Retry-After'].filter(name => answer.headersOut[name])
        .forEach(name => { r.headersOut[name] = answer.headersOut[name]; });
    return r.return(answer.status, answer.responseText);
}

function refuse(r, status, message) {
    r.headersOut['Content-Type'] = 'application/json';
    return r.return(status, JSON.stringify({ message: message }));
}

export default { handle };
