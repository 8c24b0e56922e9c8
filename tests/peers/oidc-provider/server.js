// A real, certified OpenID provider dressed as Pro Santé Connect, for tests/auth/test_peer_oidc_provider.py.
// usage: node server.js '{"port":..,"key":"..","cert":"..","client":{..},"people":{"<sub>":{..claims}}}'
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const wanted = JSON.parse(process.argv[2]);
const realm = '/auth/realms/esante-wallet';
const issuer = `https://localhost:${wanted.port}${realm}`;
const claimNames = [...new Set(Object.values(wanted.people).flatMap(Object.keys))];

const provider = new Provider(issuer, {
  clients: [{ ...wanted.client, id_token_signed_response_alg: 'RS256' }],
  jwks: wanted.jwks,
  cookies: { keys: ['peer-only'] },
  acrValues: ['eidas1'],
  scopes: ['openid', 'scope_all'],
  claims: { openid: ['sub'], scope_all: claimNames, acr: null, auth_time: null },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
  responseTypes: ['code'],
  ttl: { AccessToken: 120, IdToken: 120, AuthorizationCode: 60, Session: 14400, Grant: 14400, Interaction: 600 },
  interactions: { url: (_ctx, interaction) => `/wallet/${interaction.uid}` },
  routes: {
    authorization: '/authorize', token: '/protocol/openid-connect/token', userinfo: '/protocol/openid-connect/userinfo',
    jwks: '/protocol/openid-connect/certs', end_session: '/protocol/openid-connect/logout',
  },
  findAccount: (_ctx, sub) => wanted.people[sub] && { accountId: sub, claims: () => ({ ...wanted.people[sub], sub }) },
});

async function consent(details, accountId) {
  const grant = details.grantId
    ? await provider.Grant.find(details.grantId)
    : new provider.Grant({ accountId, clientId: details.params.client_id });
  grant.addOIDCScope('openid scope_all');
  grant.addOIDCClaims(claimNames);
  return grant.save();
}

async function wallet(request, response, url) {
  const details = await provider.interactionDetails(request, response);
  const person = url.searchParams.get('person');
  if (details.prompt.name === 'login' && !person) {
    response.end('choose a person');
    return;
  }
  const accountId = person ?? details.session.accountId;
  const result = { consent: { grantId: await consent(details, accountId) } };
  if (person) result.login = { accountId, acr: 'eidas1', amr: ['sc', 'pin'] };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

const callback = provider.callback();
const tls = { key: readFileSync(wanted.key), cert: readFileSync(wanted.cert) };
createServer(tls, (request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname.startsWith('/wallet/')) {
    wallet(request, response, url).catch((error) => { response.statusCode = 500; response.end(String(error)); });
    return;
  }
  if (url.pathname.startsWith(realm)) {
    request.originalUrl = request.url;
    request.url = request.url.slice(realm.length).replace('wallet-openid-configuration', 'openid-configuration');
  }
  callback(request, response);
}).listen(wanted.port, '127.0.0.1', () => console.log('ready'));
