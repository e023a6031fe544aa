//! The codes, as data.

use super::Aadsts;
use super::Action::{Client, Operator, Retry, SignIn};
use super::Place::{
    ApiPermissions, Authentication, CertificatesAndSecrets, ConditionalAccess, ConsentRequests,
    EnterpriseApplication, ExposeAnApi, Nowhere, Options, Overview, Users, UsersAndGroups,
};

const ADD_REDIRECT_URI: &str = "add it under Authentication, exactly as it is shown: https ones on \
    the platform Web, loopback and private-scheme ones on Mobile and desktop applications";
const PLATFORM: &str = "under Authentication, keep https redirect URIs on Web and loopback and \
    private-scheme ones on Mobile and desktop applications, or say by --platform where they are";
const NOT_SPA: &str = "under Authentication, move it from Single-page application to Mobile and \
    desktop applications";
const THROUGH_US: &str = "let the request come through mcp-entra, which puts it right; if it did, \
    report that as a fault of mcp-entra";
const NEW_SECRET: &str = "create a new one under Certificates & secrets, and give its Value, not \
    its Secret ID, as MCP_ENTRA_CLIENT_SECRET or in the file of MCP_ENTRA_CLIENT_SECRET_FILE";
const FEDERATED: &str = "compare issuer, subject and audience under Certificates & secrets > \
    Federated credentials with what the platform issues";
const SIGN_IN: &str = "sign in again, as the client asks";
const POLICY: &str = "look the sign-in up under Sign-in logs by its correlation id; its tab \
    Conditional Access names the policy";
const MANAGED: &str = "use a device that the organisation manages, or let the administrator look \
    the policy up under Sign-in logs";
const OTHER_ACCOUNT: &str = "sign in with an account of this tenant, or invite the user as a guest \
    under Users";
const CONSENT: &str = "grant admin consent under API permissions";
const WAIT: &str = "wait: the client tries again after a moment";

const ADMIN_CONSENT: &str = "az ad app permission admin-consent --id <client-id>";
const RESET_SECRET: &str = "az ad app credential reset --id <client-id> --append --query password \
    --output tsv > mcp-entra-client-secret";
const CREATE_PRINCIPAL: &str = "az ad sp create --id <client-id>";
const ENABLE: &str = "az ad sp update --id <client-id> --set accountEnabled=true";

macro_rules! codes {
    ($($code:literal $action:ident $place:ident $cause:literal => $mend:expr $(, $command:expr)?;)+) => {
        /// In the order of their numbers.
        pub const CODES: &[Aadsts] = &[$(
            Aadsts::new($code, $action, $place, $cause, $mend)$(.mended_by($command))?
        ),+];
    };
}

codes! {
    16000 SignIn Nowhere
        "the browser has several sessions, and none of them is of an account that may sign in here"
        => "sign out of the other accounts, or choose one of this tenant";
    28000 Client Nowhere
        "the scopes of a token request belong to more than one API"
        => "ask for the scopes of this MCP server only";
    28002 Client ExposeAnApi
        "a scope of a token request does not exist on the API"
        => "ask for the names under Expose an API";
    28003 Client Nowhere
        "a code was redeemed without a scope"
        => THROUGH_US;
    50001 Operator ExposeAnApi
        "the API is disabled, or does not exist under this Application ID URI"
        => "set it under Expose an API, or give the right one as --app-id-uri";
    50011 Operator Authentication
        "the redirect URI is not in the app registration; the port of http://localhost is free, \
         the path is not"
        => ADD_REDIRECT_URI;
    50012 Operator CertificatesAndSecrets
        "the client credential is wrong"
        => NEW_SECRET, RESET_SECRET;
    50020 SignIn Users
        "the account belongs to another tenant, in which the user is no guest"
        => OTHER_ACCOUNT;
    50034 SignIn Users
        "the account does not exist in the tenant"
        => OTHER_ACCOUNT;
    50053 SignIn Users
        "the account is locked, or the sign-in came from a blocked address"
        => "wait, or let the administrator unlock the account";
    50055 SignIn Nowhere
        "the password has expired"
        => "change it at the sign-in that follows";
    50057 SignIn Users
        "the account is disabled"
        => "enable the account under Users, or sign in with another";
    50058 SignIn Nowhere
        "nobody is signed in, and the client allowed no page to be shown"
        => SIGN_IN;
    50072 SignIn Nowhere
        "the user has to register for multi-factor authentication"
        => SIGN_IN;
    50074 SignIn Nowhere
        "multi-factor authentication is required"
        => SIGN_IN;
    50076 SignIn ConditionalAccess
        "a policy asks for multi-factor authentication"
        => SIGN_IN;
    50078 SignIn ConditionalAccess
        "the multi-factor authentication of this session has expired"
        => SIGN_IN;
    50079 SignIn ConditionalAccess
        "the user has to register for multi-factor authentication"
        => SIGN_IN;
    50097 SignIn ConditionalAccess
        "a policy asks for a device that signs in"
        => SIGN_IN;
    50105 Operator UsersAndGroups
        "the application is for assigned users only, and this one is not assigned"
        => "assign the user or a group under Users and groups, or turn Assignment required off \
            under Properties";
    50126 SignIn Nowhere
        "the user name or password is wrong"
        => SIGN_IN;
    50147 Client Nowhere
        "the code challenge is malformed"
        => "send the S256 challenge of RFC 7636: 43 characters";
    50148 Client Nowhere
        "the code verifier is missing, or does not match the challenge"
        => "send the verifier that the challenge was made from";
    50149 Client Nowhere
        "the method of the code challenge is not S256"
        => "send code_challenge_method=S256";
    50158 SignIn ConditionalAccess
        "another provider has to be satisfied as well"
        => SIGN_IN;
    50173 SignIn Nowhere
        "the user's tokens were revoked, as by a change of the password"
        => SIGN_IN;
    50194 Operator Options
        "the application is for one tenant, and --tenant stands for several"
        => "give the tenant's GUID as --tenant, or make the application multitenant under \
            Authentication > Supported account types";
    53000 SignIn ConditionalAccess
        "a policy asks for a compliant device"
        => MANAGED;
    53001 SignIn ConditionalAccess
        "a policy asks for a domain-joined device"
        => MANAGED;
    53002 SignIn ConditionalAccess
        "a policy allows approved applications only"
        => "let the administrator exclude this application from the policy";
    53003 SignIn ConditionalAccess
        "a Conditional Access policy blocks the sign-in"
        => POLICY;
    54005 SignIn Nowhere
        "the code was already redeemed"
        => SIGN_IN;
    65001 SignIn ApiPermissions
        "nobody has consented to the scopes"
        => "consent at the sign-in, or grant admin consent under API permissions", ADMIN_CONSENT;
    65002 Operator ExposeAnApi
        "an application of Microsoft's, such as VS Code's own, is not pre-authorised for the API"
        => "add its client ID under Expose an API > Authorized client applications, or let it sign \
            in through mcp-entra";
    65004 SignIn Nowhere
        "the user declined the consent"
        => "sign in again and accept";
    65005 Operator ApiPermissions
        "the application asks for something that its API permissions do not have"
        => "add the scope under API permissions";
    70000 SignIn Nowhere
        "the code or refresh token is not valid any more"
        => SIGN_IN;
    70001 Operator EnterpriseApplication
        "the application is disabled, or does not exist in the tenant"
        => "set Enabled for users to sign-in to Yes under Properties, and check --client-id and \
            --tenant", ENABLE;
    70002 SignIn Nowhere
        "the code, its verifier or the refresh token was refused"
        => SIGN_IN;
    70003 Client Nowhere
        "the grant type is not one that Entra takes"
        => "use authorization_code and refresh_token";
    70005 Client Nowhere
        "the response type is not one that Entra takes"
        => "use response_type=code";
    70007 Client Nowhere
        "the response mode is not one that Entra takes"
        => "use response_mode=query or leave it out";
    70008 SignIn Nowhere
        "the code or refresh token has expired"
        => SIGN_IN;
    70011 Client ExposeAnApi
        "a scope is not valid, or .default stands beside named scopes"
        => "ask for the names under Expose an API";
    70016 Client Nowhere
        "the sign-in is still pending"
        => WAIT;
    70043 SignIn ConditionalAccess
        "a policy's sign-in frequency ended the refresh token"
        => SIGN_IN;
    70044 SignIn ConditionalAccess
        "a policy's sign-in frequency ended the session"
        => SIGN_IN;
    75011 SignIn Nowhere
        "the session was made by another method than the one that is wanted"
        => SIGN_IN;
    90002 Operator Options
        "the tenant does not exist in this cloud"
        => "check --tenant against Overview > Directory (tenant) ID, and --authority against the \
            cloud";
    90006 Retry Nowhere
        "an Entra service is temporarily unavailable"
        => WAIT;
    90009 Client Nowhere
        "the application asks for a token for itself without naming its scope by GUID, as on a \
         refresh without scope"
        => THROUGH_US;
    90014 Client Nowhere
        "a parameter is missing"
        => THROUGH_US;
    90015 Client Nowhere
        "the request is too long"
        => "use a shorter state";
    90023 Client Nowhere
        "a parameter has a value that Entra does not take, such as prompt"
        => THROUGH_US;
    90024 Retry Nowhere
        "Entra is busy"
        => WAIT;
    90033 Retry Nowhere
        "an Entra service is temporarily unavailable"
        => WAIT;
    90055 Retry Nowhere
        "the tenant is throttled"
        => WAIT;
    90072 SignIn Users
        "the account does not exist in the tenant"
        => OTHER_ACCOUNT;
    90090 Retry Nowhere
        "Entra could not be reached from within"
        => WAIT;
    90094 SignIn ApiPermissions
        "an administrator has to consent: the tenant lets users consent to nothing, or the client \
         sent prompt=consent around mcp-entra"
        => CONSENT, ADMIN_CONSENT;
    90095 SignIn ConsentRequests
        "an administrator has to approve the consent request"
        => "approve it under Admin consent requests, or grant admin consent under API permissions",
        ADMIN_CONSENT;
    135010 Retry Nowhere
        "Entra's keys could not be found for a moment"
        => WAIT;
    500011 Operator ExposeAnApi
        "the API does not exist in the tenant under this Application ID URI"
        => "set it under Expose an API, or give the right one as --app-id-uri", CREATE_PRINCIPAL;
    500112 Client Nowhere
        "the code was redeemed with another redirect URI than it was sent to"
        => "send the same redirect_uri twice, its port included";
    500113 Operator Authentication
        "the app registration has no redirect URI at all"
        => ADD_REDIRECT_URI;
    500200 SignIn Nowhere
        "a personal account was used with an application for work accounts"
        => "sign in with a work or school account";
    501481 SignIn Nowhere
        "the code verifier does not match the challenge"
        => SIGN_IN;
    501491 Client Nowhere
        "the code challenge is malformed"
        => "send the S256 challenge of RFC 7636: 43 characters";
    530003 SignIn ConditionalAccess
        "a policy asks for a managed device"
        => MANAGED;
    530032 SignIn ConditionalAccess
        "a security policy of the tenant blocks the sign-in"
        => POLICY;
    650052 Operator EnterpriseApplication
        "the tenant has no service principal for the API"
        => "let an administrator consent once, or create it", CREATE_PRINCIPAL;
    650053 Client ExposeAnApi
        "the API exposes no scope of this name; a bare name is looked up on Microsoft Graph"
        => "ask for the names under Expose an API, through mcp-entra";
    650056 Operator ApiPermissions
        "the application lacks the permission, or nobody has consented to it"
        => CONSENT, ADMIN_CONSENT;
    650057 Operator ApiPermissions
        "the API is not among the application's API permissions"
        => "add it under API permissions";
    700003 SignIn Nowhere
        "the device was not found"
        => SIGN_IN;
    700005 Operator Options
        "the code was redeemed at another tenant than it was issued by"
        => "give one --tenant to every instance";
    700016 Operator Overview
        "the application does not exist in the tenant"
        => "check --client-id and --tenant against the app registration's Overview";
    700022 Client Nowhere
        "the scopes belong to more than one API"
        => "ask for the scopes of this MCP server only";
    700023 Client Nowhere
        "the scopes name no API"
        => "ask for the scopes of this MCP server, through mcp-entra";
    700025 Operator Authentication
        "a secret was sent for a redirect URI on a public platform"
        => PLATFORM;
    700027 Operator CertificatesAndSecrets
        "the client assertion's signature is wrong"
        => "check the certificate under Certificates & secrets";
    700038 Operator Overview
        "the client ID is all zeros or not a GUID"
        => "check --client-id against Overview > Application (client) ID";
    700051 Client Nowhere
        "the client asked for a token in the redirect"
        => "use response_type=code";
    700054 Client Nowhere
        "the client asked for an ID token in the redirect"
        => "use response_type=code";
    700082 SignIn Nowhere
        "the refresh token was not used for too long"
        => SIGN_IN;
    700084 SignIn Authentication
        "the redirect URI is on the Single-page application platform, whose refresh tokens live \
         for a day"
        => NOT_SPA;
    700211 Operator CertificatesAndSecrets
        "no federated credential has the issuer of the platform's token"
        => FEDERATED;
    700212 Operator CertificatesAndSecrets
        "no federated credential has the audience of the platform's token"
        => FEDERATED;
    700213 Operator CertificatesAndSecrets
        "no federated credential has the subject of the platform's token"
        => FEDERATED;
    700229 Operator CertificatesAndSecrets
        "the token that was given as the client's credential is a user's"
        => "give a managed identity's own token";
    900023 Operator Options
        "the tenant is neither a GUID nor a domain"
        => "check --tenant against Overview > Directory (tenant) ID";
    900144 Client Nowhere
        "a parameter is missing, mostly scope"
        => THROUGH_US;
    900382 Operator Options
        "a client with a secret was used across clouds"
        => "give the app registration's own cloud as --authority";
    900432 Operator Options
        "a client with a secret was used across clouds"
        => "give the app registration's own cloud as --authority";
    900561 Client Nowhere
        "the endpoint was called by another method, as by the browser's back button"
        => "start the sign-in again; a client uses POST at the token endpoint";
    900971 Operator Authentication
        "neither the request nor the app registration has a redirect URI"
        => ADD_REDIRECT_URI;
    901002 Client Nowhere
        "'resource' was sent to Entra"
        => THROUGH_US;
    1002012 Client ExposeAnApi
        "an application that calls without a user named a scope"
        => "ask for <Application ID URI>/.default; its app roles come with it";
    7000112 Operator EnterpriseApplication
        "the application is disabled"
        => "set Enabled for users to sign-in to Yes under Properties", ENABLE;
    7000215 Operator CertificatesAndSecrets
        "the client secret is wrong"
        => NEW_SECRET, RESET_SECRET;
    7000216 Client CertificatesAndSecrets
        "an application that calls without a user sent no credential"
        => "send its own client_secret or client_assertion to Entra";
    7000218 Operator Authentication
        "the redirect URI is on the Web platform and no secret was sent; or Allow public client \
         flows is off"
        => "set MCP_ENTRA_CLIENT_SECRET; or, for a loopback or private-scheme redirect URI, move \
            it to Mobile and desktop applications and turn Allow public client flows on";
    7000222 Operator CertificatesAndSecrets
        "the client secret has expired"
        => NEW_SECRET, RESET_SECRET;
    9000411 Client Nowhere
        "a parameter was given twice"
        => "give it once";
    9001023 Client Options
        "the grant is not for common or consumers"
        => "give the tenant's GUID as --tenant";
    9002313 Client Nowhere
        "the request is malformed, or the code or refresh token is none of Entra's"
        => "start the sign-in again, through mcp-entra";
    9002325 Operator Authentication
        "the redirect URI is on the Single-page application platform"
        => NOT_SPA;
    9002326 Operator Authentication
        "a browser's Origin reached Entra for a redirect URI that is not a single-page \
         application's"
        => THROUGH_US;
    9002327 Operator Authentication
        "the redirect URI is on the Single-page application platform, whose codes only a browser \
         may redeem"
        => NOT_SPA;
    9002331 Operator Options
        "the application is for personal accounts only"
        => "give consumers as --tenant";
    9002332 Operator Options
        "the application is for work accounts only, and --tenant is consumers"
        => "give the tenant's GUID as --tenant";
    9010010 Client Nowhere
        "'resource' does not match the scopes"
        => THROUGH_US;
}
